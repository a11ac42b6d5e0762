package rootfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// hostRootDir makes a host's root whose /var/lib/containerd is an absolute
// symlink, as on nodes that keep their images on a disk of its own.
func hostRootDir(t *testing.T) string {
	t.Helper()
	// A path that a symlink leads to is told without the symlink.
	host, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"data/1/fs", "data/2/fs", "data/a:b/fs", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(host, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/data", filepath.Join(host, "var/lib/containerd")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../../../../../data", filepath.Join(host, "var/lib/climbing")); err != nil {
		t.Fatal(err)
	}
	return host
}

func TestOnHost(t *testing.T) {
	host := hostRootDir(t)
	const store = "/var/lib/containerd"
	for name, test := range map[string]struct{ given, want mount.Mount }{
		"bind": {
			mount.Mount{Type: "bind", Source: store + "/1/fs", Options: []string{"ro", "rbind"}},
			mount.Mount{Type: "bind", Source: host + "/data/1/fs", Options: []string{"ro", "rbind"}},
		},
		"overlay": {
			mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"index=off", "upperdir=" + store + "/2/fs", "lowerdir=" + store + `/a\:b/fs:` + store + "/1/fs"}},
			mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"index=off", "upperdir=" + host + "/data/2/fs", "lowerdir=" + host + `/data/a\:b/fs:` + host + "/data/1/fs"}},
		},
		"a symlink that climbs stays in the root": {
			mount.Mount{Type: "bind", Source: "/var/lib/climbing/1/fs"},
			mount.Mount{Type: "bind", Source: host + "/data/1/fs"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := OnHost(host, []mount.Mount{test.given})
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Source != test.want.Source || !slices.Equal(got[0].Options, test.want.Options) {
				t.Errorf("%+v\nbecame %+v\nwanted %+v", test.given, got[0], test.want)
			}
		})
	}
	_, err := OnHost(host, []mount.Mount{{Type: "bind", Source: store + "/3/fs"}})
	var source *SourceError
	if !errors.As(err, &source) || source.HostRoot != host || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a source that is not there gives %v", err)
	}
}

// TestCheckSeen tells a mount from the directory that a pod sees in its place
// where mounts do not propagate to it.
func TestCheckSeen(t *testing.T) {
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	check := func() error {
		root, err := openDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		return CheckSeen(root)
	}
	var propagation *PropagationError
	if err := check(); !errors.As(err, &propagation) || propagation.Path != dir {
		t.Errorf("an empty directory gives %v", err)
	}
	root, err := openInNamespace(t.Context(), func(target string) error {
		return unix.Mount("none", target, "tmpfs", unix.MS_RDONLY, "")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := CheckSeen(root); err != nil {
		t.Errorf("a mount gives %v", err)
	}
}

// TestMountDenied tells that mounting is forbidden from a layer that is.
func TestMountDenied(t *testing.T) {
	needRoot(t)
	layers := stack(t, 2)
	done := make(chan error)
	onThreadOfItsOwn(func() {
		// The thread ends with its capabilities.
		done <- errors.Join(dropAllCapabilities(), func() error {
			_, err := Open(context.Background(), []mount.Mount{overlayOf(layers)})
			return err
		}())
	})
	err := <-done
	var denied *MountDeniedError
	if !errors.As(err, &denied) || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("without capabilities it gives %v", err)
	}
}

func dropAllCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}
