package rootfs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting needs root: run the tests as root")
	}
}

// stack makes n layers, each with a file of its own and one that all have,
// the lowest first, and a whiteout in the topmost for the lowest's file.
func stack(t *testing.T, n int) []string {
	t.Helper()
	base := t.TempDir()
	var layers []string
	for i := range n {
		dir := filepath.Join(base, fmt.Sprint(i))
		write(t, filepath.Join(dir, fmt.Sprintf("own-%d", i)), "")
		write(t, filepath.Join(dir, "shared"), fmt.Sprint(i))
		layers = append(layers, dir)
	}
	if err := unix.Mknod(filepath.Join(layers[n-1], "own-0"), unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
	return layers
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// overlayOf gives the mount that the overlayfs snapshotter gives for a view.
func overlayOf(layers []string) mount.Mount {
	topFirst := slices.Clone(layers)
	slices.Reverse(topFirst)
	return mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"index=off", "lowerdir=" + strings.Join(topFirst, ":")}}
}

// readBelow reads a file of a root that Open gave.
func readBelow(t *testing.T, root *os.File, name string) (string, error) {
	t.Helper()
	fd, err := unix.Openat(int(root.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(f)
	return text.String(), err
}

func mountInfo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkStack asserts that root is what the layers merge to.
func checkStack(t *testing.T, root *os.File, n int) {
	t.Helper()
	if got, err := readBelow(t, root, "shared"); err != nil || got != fmt.Sprint(n-1) {
		t.Errorf("shared = %q, %v; want the topmost layer's %q", got, err, fmt.Sprint(n-1))
	}
	if _, err := readBelow(t, root, "own-1"); err != nil {
		t.Errorf("own-1 of a lower layer: %v", err)
	}
	if _, err := readBelow(t, root, "own-0"); err != unix.ENOENT {
		t.Errorf("own-0, which a whiteout hides: %v, want ENOENT", err)
	}
	if err := unix.Mkdirat(int(root.Fd()), "new", 0o755); err != unix.EROFS {
		t.Errorf("writing to the root: %v, want EROFS", err)
	}
}

func TestOpenOverlay(t *testing.T) {
	needRoot(t)
	for _, n := range []int{2, 3, 120, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			before := mountInfo(t)
			root, err := Open(context.Background(), []mount.Mount{overlayOf(stack(t, n))})
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			checkStack(t, root, n)
			if now := mountInfo(t); now != before {
				t.Errorf("the mount shows in mountinfo:\n%s", now)
			}
		})
	}
}

// TestOpenWithoutFsopen is the way of kernels before 6.7.
func TestOpenWithoutFsopen(t *testing.T) {
	needRoot(t)
	for _, n := range []int{2, 120, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			layers, err := parseOverlay(overlayOf(stack(t, n)).Options)
			if err != nil {
				t.Fatal(err)
			}
			before := mountInfo(t)
			root, err := openInNamespace(context.Background(), layers.mountAt)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			checkStack(t, root, n)
			if now := mountInfo(t); now != before {
				t.Errorf("the mount shows in mountinfo:\n%s", now)
			}
		})
	}
}

// TestOpenUnknownType mounts what only containerd's code knows how to.
func TestOpenUnknownType(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("SKIPPED: there is no mkfs.ext4: install e2fsprogs")
	}
	source := t.TempDir()
	write(t, filepath.Join(source, "file"), "inside")
	image := filepath.Join(t.TempDir(), "ext4")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 8<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-O", "^has_journal", "-d", source, image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	before := mountInfo(t)
	root, err := Open(context.Background(), []mount.Mount{{Type: "ext4", Source: image, Options: []string{"loop", "ro"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if got, err := readBelow(t, root, "file"); err != nil || got != "inside" {
		t.Errorf("file = %q, %v", got, err)
	}
	if now := mountInfo(t); now != before {
		t.Errorf("the mount shows in mountinfo:\n%s", now)
	}
}

// TestInodesAreStable has layers on two filesystems, and the kernel forget what
// it knows of them.
func TestInodesAreStable(t *testing.T) {
	needRoot(t)
	var layers []string
	for _, name := range []string{"a", "b"} {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		write(t, filepath.Join(dir, "shared", name, "file"), name)
		layers = append(layers, dir)
	}
	root, err := Open(context.Background(), []mount.Mount{overlayOf(layers)})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	inode := func(name string) uint64 {
		var st unix.Stat_t
		if err := unix.Fstatat(int(root.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	names := []string{"shared", "shared/a", "shared/b"}
	before := make(map[string]uint64)
	for _, name := range names {
		before[name] = inode(name)
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if now := inode(name); now != before[name] {
			t.Errorf("%s: inode %d, and %d when it was read again", name, before[name], now)
		}
	}
}

func TestOpenSingleLayer(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "text")
	for _, m := range []mount.Mount{
		{Type: "bind", Source: dir, Options: []string{"ro", "rbind"}},
		{Type: "overlay", Options: []string{"lowerdir=" + dir}},
	} {
		given := Cloned([]mount.Mount{m})
		root, err := Open(context.Background(), given)
		if err != nil {
			t.Errorf("%s: %v", m.Type, err)
			continue
		}
		if got, err := readBelow(t, root, "file"); err != nil || got != "text" {
			t.Errorf("%s: file = %q, %v", m.Type, got, err)
		}
		if err := root.Close(); err != nil {
			t.Error(err)
		}
		if fmt.Sprint(given) != fmt.Sprint([]mount.Mount{m}) {
			t.Errorf("the caller's mounts were changed: %v", given)
		}
	}
}

func TestOpenFails(t *testing.T) {
	for name, mounts := range map[string][]mount.Mount{
		"no mounts": nil,
		"no layers": {{Type: "overlay", Options: []string{"ro"}}},
		"no source": {{Type: "bind", Source: filepath.Join(t.TempDir(), "gone")}},
	} {
		if root, err := Open(context.Background(), mounts); err == nil {
			root.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseOverlay(t *testing.T) {
	got, err := parseOverlay([]string{"workdir=/w", "upperdir=/up", "volatile", "index=off", "userxattr", `lowerdir=/b:/with\:colon:/a`})
	want := overlayMount{lower: []string{"/up", "/b", "/with:colon", "/a"}, options: []string{"index=off", "userxattr", stableInodes}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("parseOverlay = %v, %v; want %v", got, err, want)
	}
}
