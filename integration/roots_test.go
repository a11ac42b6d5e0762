package integration_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// TestRootsOfMachines makes the root filesystems of docs/roots.md, mounts or
// unpacks each, and compares it with the tar of the same image, and the root
// directory, which no tar has, with one that all may enter. Whole seconds are
// all that most of them keep, which --reproducible has done before.
func TestRootsOfMachines(t *testing.T) {
	needsRoot(t)
	archive := "oci-archive:" + writeArchive(t, standardName, standard(t))
	for _, c := range []struct {
		name  string
		flags []string
		// list makes the root of the tar or of dir, below a folder of its own,
		// and lists it.
		list func(t *testing.T, tar []byte, dir, own string) rootListing
		// without takes from an entry of the tar what the format has no room for.
		without func(*listing.Entry) bool
	}{
		{name: "squashfs by sqfstar", flags: []string{"--reproducible"}, list: func(t *testing.T, tar []byte, _, own string) rootListing {
			image := filepath.Join(own, "root.squashfs")
			command(t, tar, "sqfstar", "-root-mode", "0755", "-quiet", "-no-progress", image)
			return mounted(t, "squashfs", image)
		}},
		{name: "squashfs by mksquashfs", flags: []string{"--reproducible"}, list: func(t *testing.T, tar []byte, _, own string) rootListing {
			image := filepath.Join(own, "root.squashfs")
			command(t, tar, "mksquashfs", "-", image, "-tar", "-root-mode", "0755", "-quiet", "-no-progress")
			return mounted(t, "squashfs", image)
		}},
		{name: "erofs", list: func(t *testing.T, _ []byte, dir, own string) rootListing {
			image := filepath.Join(own, "root.erofs")
			command(t, nil, "mkfs.erofs", "--quiet", image, dir)
			return mounted(t, "erofs", image)
		}},
		{name: "ext4", flags: []string{"--reproducible"}, list: func(t *testing.T, _ []byte, dir, own string) rootListing {
			image := filepath.Join(own, "root.ext4")
			command(t, nil, "mkfs.ext4", "-q", "-d", dir, image, "64M")
			got := mounted(t, "ext4", image)
			got.below = slices.DeleteFunc(got.below, func(e listing.Entry) bool { return e.Path == "lost+found" })
			return got
		}},
		{name: "initramfs", flags: []string{"--reproducible"}, list: unpackedCpio, without: func(e *listing.Entry) bool {
			e.Xattrs = nil
			if e.Type == "symlink" {
				e.Group = "" // each name is a symlink of its own
			}
			return true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "root")
			export := append([]string{"export", archive}, c.flags...)
			tar := ctrRootfs(t, export...).stdout
			ctrRootfs(t, append(export, "--format", "dir", "-o", dir)...)
			got, want := c.list(t, tar, dir, t.TempDir()), readTar(t, tar)
			if c.without != nil {
				got.below, want = got.below.Edit(c.without).Regroup(), want.Edit(c.without).Regroup()
			}
			if diff := listing.Diff(want, got.below); diff != "" {
				t.Errorf("- tar, + %s:\n%s", c.name, diff)
			}
			if got.root != "0755 0:0" {
				t.Errorf("the root directory is %s, want 0755 0:0", got.root)
			}
		})
	}
}

// unpackedCpio makes an initramfs of dir by GNU cpio, and unpacks it by bsdtar.
func unpackedCpio(t *testing.T, _ []byte, dir, own string) rootListing {
	needsProgram(t, "cpio", "cpio")
	cpio := command(t, nil, "bash", "-c", `set -o pipefail; cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --quiet --null -o -H newc --reproducible`, "-", dir)
	command(t, []byte(cpio), "bsdtar", "-xp", "-C", own, "-f", "-")
	got, err := listRoot(own)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// rootListing is a root directory's mode and owner, and what lies below it.
type rootListing struct {
	root  string
	below listing.Listing
}

func listRoot(dir string) (rootListing, error) {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return rootListing{}, err
	}
	below, err := listing.OfDir(dir)
	return rootListing{fmt.Sprintf("%04o %d:%d", st.Mode&0o7777, st.Uid, st.Gid), below}, err
}

// mounted lists a filesystem, mounted read-only where the host does not see it.
func mounted(t *testing.T, kind, image string) rootListing {
	t.Helper()
	target := t.TempDir()
	var got rootListing
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
			got, err = listRoot(target)
			return err
		}()
	}()
	if err := <-done; err != nil {
		t.Fatalf("mounting %q: %v", image, err)
	}
	return got
}
