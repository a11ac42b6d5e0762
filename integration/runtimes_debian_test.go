package integration_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// bareDebian is the tar of a Debian made by mmdebstrap, kept in .cache.
func bareDebian(t *testing.T) string {
	t.Helper()
	return cached(t, "debian-bookworm.tar", func(path string) *exec.Cmd {
		return exec.Command("mmdebstrap", "--mode=root", "--variant=essential", "--format=tar", "--quiet",
			"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
			"--dpkgopt=path-exclude=/usr/share/man/*", "bookworm", path)
	})
}

// debianLayer is the layer of a bare Debian.
func debianLayer(t *testing.T) imagetest.Layer {
	t.Helper()
	path := bareDebian(t)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	layer, err := layerOf(f)
	if err != nil {
		t.Fatalf("reading %q: %v", path, err)
	}
	return layer
}

// busybox is Debian's statically linked one, taken out of its package, which
// cannot be installed beside the other one.
func busybox(t *testing.T) imagetest.Entry {
	t.Helper()
	path := cached(t, "busybox-static", func(path string) *exec.Cmd {
		return exec.Command("sh", "-ec", `dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; chmod 0755 "$dir"; cd "$dir"
			apt-get -q download busybox-static; dpkg-deb --fsys-tarfile ./*.deb | tar -xO ./bin/busybox >"$0"`, path)
	})
	e := imagetest.File("bin/busybox", 0o755, "")
	var err error
	if e.Body, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return e
}

// cached gives a file of .cache, made by a command on first use. Where Debian's
// archive is not to be reached the test is skipped.
func cached(t *testing.T, name string, makeIt func(path string) *exec.Cmd) string {
	t.Helper()
	root, err := tools.Root(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(root), ".cache", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	temp := path + ".new"
	if err := os.RemoveAll(temp); err != nil { // of a run that was killed
		t.Fatal(err)
	}
	cmd := makeIt(temp)
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		t.Skipf("SKIPPED: %s is not installed: apt-get install %s", cmd.Args[0], cmd.Args[0])
	case err != nil && isUnreachable(string(out)):
		t.Skipf("SKIPPED: Debian's archive is not to be reached, so there is no %s: %v\n%s", name, err, out)
	case err != nil:
		t.Fatalf("making %q: %v\n%s", path, err, out)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// isUnreachable says whether apt-get speaks of a network that is not there.
func isUnreachable(output string) bool {
	for _, words := range []string{"Temporary failure resolving", "Could not resolve", "Could not connect", "Unable to connect", "Connection failed"} {
		if strings.Contains(output, words) {
			return true
		}
	}
	return false
}

// layerOf reads a tar as a layer.
func layerOf(r io.Reader) (imagetest.Layer, error) {
	var layer imagetest.Layer
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return layer, nil
		}
		if err != nil {
			return nil, err
		}
		e := imagetest.Entry{
			Name: strings.TrimPrefix(h.Name, "./"), Typeflag: h.Typeflag, Mode: h.Mode, UID: int64(h.Uid), GID: int64(h.Gid),
			MTime: h.ModTime, Target: h.Linkname, Major: h.Devmajor, Minor: h.Devminor,
		}
		if e.Typeflag == tar.TypeLink {
			e.Target = strings.TrimPrefix(e.Target, "./")
		}
		for key, value := range h.PAXRecords {
			if strings.HasPrefix(key, "SCHILY.xattr.") {
				e = e.PAX(key, value)
			}
		}
		if e.Body, err = io.ReadAll(in); err != nil {
			return nil, err
		}
		if e.Name != "" {
			layer = append(layer, e)
		}
	}
}
