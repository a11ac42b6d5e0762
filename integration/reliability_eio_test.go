package integration_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestDiskThatCannotBeRead has a layer of a view on a disk that ends before its
// files do, so that the kernel answers EIO where one is read.
func TestDiskThatCannotBeRead(t *testing.T) {
	needsRoot(t)
	needsProgram(t, "mkfs.ext4", "e2fsprogs")
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, smallName, small()))
	file, disk := onDisk(t, d, "data")
	before := d.Left(t, "default", "overlayfs")
	out := filepath.Join(t.TempDir(), "out")
	forms := map[string][]string{"tar": nil, "compressed": {"--compress", "zstd"}, "directory": {"--format", "dir"}}
	export := func(flags []string) outcome {
		args := append([]string{"export", "--address", d.Address, "-o", out}, flags...)
		return invocation{args: append(args, smallName)}.run(t)
	}
	for name, flags := range forms {
		if o := export(flags); o.status != 0 {
			t.Fatalf("%s: before the disk failed: exit status %d\n%s", name, o.status, o.stderr)
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
	shorten(t, file, disk)
	for name, flags := range forms {
		o := export(flags)
		if o.status != statusFailed {
			t.Errorf("%s: exit status %d, want %d", name, o.status, statusFailed)
		}
		checkError(t, o.stderr, `"data"`, "input/output error")
		if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the output is there (%v)", name, err)
		}
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

// onDisk moves the layer of a daemon that has the file name to a disk of its
// own, and gives the file and the disk.
func onDisk(t *testing.T, d *daemon.Daemon, name string) (file, disk string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(d.Dir, "root", "io.containerd.snapshotter.v1.overlayfs", "snapshots", "*", "fs", name))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q is in the layers %q (%v), want one", name, found, err)
	}
	layer := filepath.Dir(found[0])
	disk = loopFile(t, 16<<20)
	command(t, nil, "mkfs.ext4", "-q", "-O", "^has_journal", "-d", layer, disk)
	command(t, nil, "mount", "-t", "ext4", "-o", "ro,loop", disk, layer)
	t.Cleanup(func() { command(t, nil, "umount", layer) })
	return found[0], disk
}

// shorten takes everything from a mounted disk but what the kernel still knows
// of it, and has it forget what is in a file.
func shorten(t *testing.T, file, disk string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), os.Truncate(disk, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, unix.EIO) {
		t.Fatalf("reading from a disk that is too short: %v, want %v: this test sees nothing", err, unix.EIO)
	}
}
