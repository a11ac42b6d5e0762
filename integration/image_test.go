package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// ownName is the tool's own image as the tests build it.
const ownName = "ghcr.io/ctr-rootfs/ctr-rootfs:v0.0.0-test"

// builtImage is the archive of the tool's own image, built once by `make image`
// beside the other programs, which TestMain removes.
var builtImage = sync.OnceValues(func() (string, error) {
	return makeImage(filepath.Join(filepath.Dir(programs.hello), "image"))
})

func makeImage(dist string) (string, error) {
	return filepath.Join(dist, "ctr-rootfs_v0.0.0-test_image.tar"), makeInto("image", dist)
}

// ownImage gives builtImage.
func ownImage(t *testing.T) string {
	t.Helper()
	archive, err := builtImage()
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// makeInto makes a target of the project whose output goes to dist.
func makeInto(target, dist string) error {
	cmd := exec.Command("make", "-C", "..", target)
	cmd.Env = append(os.Environ(), "DIST="+dist, "VERSION=v0.0.0-test", "SOURCE_DATE_EPOCH=1700000000", "MAKEFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make %s: %w\n%s", target, err, out)
	}
	return nil
}

// TestImage builds the tool's own image twice, runs it by ctr, and exports an
// image from inside: the same bytes as on the host.
func TestImage(t *testing.T) {
	needsRoot(t)
	archive := ownImage(t)
	other, err := makeImage(filepath.Join(t.TempDir(), "dist"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	once, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(once, again) {
		t.Errorf("two builds differ: %d and %d bytes", len(once), len(again))
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		l := readTar(t, ctrRootfs(t, "export", "--profile", "none", "--platform", "linux/"+architecture, "oci-archive:"+archive).stdout)
		var names []string
		for _, e := range l {
			names = append(names, e.Path)
		}
		if want := []string{"tmp", "usr", "usr/bin", "usr/bin/ctr-rootfs"}; !slices.Equal(names, want) {
			t.Errorf("%s: the image holds %q", architecture, names)
		}
	}
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", archive)
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	run := func(id string, args ...string) string {
		return d.Ctr(t, append([]string{"run", "--rm", "--privileged",
			"--mount", "type=bind,src=" + d.Dir + ",dst=" + d.Dir + ",options=rbind:ro", ownName, id, "/usr/bin/ctr-rootfs"}, args...)...)
	}
	if out := run("says", "version"); !strings.HasPrefix(out, "ctr-rootfs v0.0.0-test ") {
		t.Errorf("it says %q", out)
	}
	args := []string{"export", "--reproducible", "--address", d.Address, standardName}
	if got, want := run("exports", args...), ctrRootfs(t, args...).stdout; got != string(want) {
		t.Errorf("from inside: %d bytes differ from the host's %d", len(got), len(want))
	}
}
