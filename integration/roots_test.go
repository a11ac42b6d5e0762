package integration_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// TestRootsOfMachines makes the filesystems of docs/roots.md, mounts each and
// compares it with the tar of the same image. sqfstar and mkfs.ext4 cut times
// to seconds, which --reproducible has done before.
func TestRootsOfMachines(t *testing.T) {
	needsRoot(t)
	archive := "oci-archive:" + writeArchive(t, standardName, standard(t))
	for _, c := range []struct {
		name  string
		flags []string
		make  func(t *testing.T, tar []byte, dir, image string)
		// own is what the filesystem has of its own.
		own string
	}{
		{name: "erofs", make: func(t *testing.T, _ []byte, dir, image string) {
			command(t, nil, "mkfs.erofs", "--quiet", image, dir)
		}},
		{name: "squashfs", flags: []string{"--reproducible"}, make: func(t *testing.T, tar []byte, _, image string) {
			command(t, tar, "sqfstar", "-quiet", "-no-progress", image)
		}},
		{name: "ext4", flags: []string{"--reproducible"}, make: func(t *testing.T, _ []byte, dir, image string) {
			command(t, nil, "mkfs.ext4", "-q", "-d", dir, image, "64M")
		}, own: "lost+found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image, dir := filepath.Join(t.TempDir(), "root.img"), filepath.Join(t.TempDir(), "root")
			export := append([]string{"export", archive}, c.flags...)
			tar := ctrRootfs(t, export...).stdout
			ctrRootfs(t, append(export, "--format", "dir", "-o", dir)...)
			c.make(t, tar, dir, image)
			got := slices.DeleteFunc(mounted(t, c.name, image), func(e listing.Entry) bool { return e.Path == c.own })
			if diff := listing.Diff(readTar(t, tar), got); diff != "" {
				t.Errorf("- tar, + %s:\n%s", c.name, diff)
			}
		})
	}
}

// mounted lists a filesystem, mounted read-only where the host does not see it.
func mounted(t *testing.T, kind, image string) listing.Listing {
	t.Helper()
	target := t.TempDir()
	var got listing.Listing
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with its mount namespace.
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			if err := exec.Command("mount", "-t", kind, "-o", "ro,loop", image, target).Run(); err != nil {
				return err
			}
			var err error
			got, err = listing.OfDir(target)
			return err
		}()
	}()
	if err := <-done; err != nil {
		t.Fatalf("mounting %q: %v", image, err)
	}
	return got
}
