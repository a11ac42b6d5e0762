package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// exitAtOnce has a binary with the race detector end without the second that
// it waits for late reports (go.dev/doc/articles/race_detector, Options).
func exitAtOnce(t *testing.T) {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0")
}

// probeLayer holds one static program, /probe, and nothing else.
func probeLayer(t *testing.T) imagetest.Layer {
	t.Helper()
	root, err := tools.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "probe")
	if err := build(root, path, "./internal/probe/cmd", "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	e := imagetest.File("probe", 0o755, "")
	if e.Body, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return imagetest.Layer{e}
}

// accounts are an image's passwd and group: app is in two more groups.
func accounts() imagetest.Layer {
	return imagetest.Layer{
		imagetest.Dir("etc", 0o755),
		imagetest.File("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/srv/app:/bin/sh\n"),
		imagetest.File("etc/group", 0o644, "root:x:0:\nstaff:x:50:app\naudio:x:29:root,app\napp:x:1001:\n"),
		imagetest.Dir("srv", 0o755), imagetest.Dir("srv/app", 0o750).Own(1000, 1001),
	}
}

// imageOf is an image that starts the probe as its config says. It is not
// compressed, which takes long under the race detector.
func imageOf(config ispec.ImageConfig, layers ...imagetest.Layer) imagetest.Image {
	if len(config.Entrypoint) == 0 {
		config.Entrypoint = []string{"/probe"}
	}
	return imagetest.Image{Config: config, Layers: layers, Compression: imagetest.Plain}
}

// volumes is an image with three volumes: one with content, one that the image
// does not hold, and one below a symlink.
func volumes(probe imagetest.Layer) imagetest.Image {
	return imageOf(ispec.ImageConfig{
		User:    "app",
		Cmd:     []string{"/data", "/srv/new", "/var/run/sock"},
		Volumes: map[string]struct{}{"/data": {}, "/srv/new": {}, "/var/run/sock": {}},
	}, probe, accounts(), imagetest.Layer{
		imagetest.Dir("data", 0o755).Own(1000, 1001), imagetest.File("data/seed", 0o640, "seed").Own(1000, 1001),
		imagetest.Dir("run", 0o755), imagetest.Dir("var", 0o755), imagetest.Symlink("var/run", "/run"),
	})
}
