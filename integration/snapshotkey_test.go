package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// TestSnapshotKey exports committed and active snapshots by their keys, and a
// running container, from every snapshotter that can be had here.
func TestSnapshotKey(t *testing.T) {
	for _, snapshotter := range []string{"overlayfs", "native", "btrfs", "blockfile", "erofs"} {
		t.Run(snapshotter, func(t *testing.T) {
			d := snapshotterDaemon(t, snapshotter)
			// ctr unpacks into the default snapshotter only.
			d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, churnName, churn(t)))
			image := exported(t, d, "--snapshotter", snapshotter, churnName).Edit(withoutLostFound)
			startWriter(t, d, []string{"--snapshotter", snapshotter}, "web")
			task, err := listing.OfDir(taskRoot(d, "web"))
			if err != nil {
				t.Fatal(err)
			}
			task = task.Edit(withoutLostFound)
			before := d.Left(t, "default", snapshotter)
			check := func(what string, want listing.Listing, source string) {
				t.Helper()
				got := exported(t, d, "--snapshotter", snapshotter, source).Edit(withoutLostFound)
				if diff := listing.Diff(want, got); diff != "" {
					t.Errorf("%s: - wanted, + tar:\n%s", what, diff)
				}
			}
			check("running", task, "container:web")
			stopContainer(t, d, "web")
			check("stopped", task, "container:web")
			check("active", task, "snapshot:web")
			check("committed", image, "snapshot:"+chainOf(t, d, snapshotter))
			takeSnapshot(t, d, snapshotter, "view", "viewer", chainOf(t, d, snapshotter))
			check("view of another", image, "snapshot:viewer")
			d.Ctr(t, "snapshots", "--snapshotter", snapshotter, "remove", "viewer")
			d.Collect(t)
			left := d.Left(t, "default", snapshotter)
			if diff := left.Since(before); diff != "" {
				t.Errorf("they left:\n%s", diff)
			}
			o := invocation{args: []string{"ls", "--address", d.Address, "--snapshotter", snapshotter, "snapshot:none"}}.run(t)
			if o.status != statusNotFound {
				t.Errorf("a missing key: exit status %d", o.status)
			}
			checkError(t, o.stderr, `finding snapshot "none" in snapshotter "`+snapshotter+`", namespace "default": not found`)
		})
	}
}

// TestSnapshotKeyElsewhere says which other snapshotter or namespace has a key.
func TestSnapshotKeyElsewhere(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, churnName, churn(t))
	for _, namespace := range []string{"default", "other"} {
		d.Ctr(t, "-n", namespace, "images", "import", "--no-unpack", archive)
	}
	ctrRootfs(t, "ls", "--address", d.Address, "--snapshotter", "native", churnName)
	d.Ctr(t, "containers", "create", "--snapshotter", "native", churnName, "of-native")
	ctrRootfs(t, "ls", "--address", d.Address, "-n", "other", churnName)
	d.Ctr(t, "-n", "other", "containers", "create", churnName, "of-other")
	for key, hint := range map[string]string{
		"of-native": `it is only in snapshotter "native": use --snapshotter native`,
		"of-other":  `it is only in namespace "other": use --namespace other`,
	} {
		o := invocation{args: []string{"ls", "--address", d.Address, "snapshot:" + key}}.run(t)
		if o.status != statusNotFound {
			t.Errorf("%s: exit status %d", key, o.status)
		}
		checkError(t, o.stderr, hint)
	}
}

// withoutLostFound leaves out what mkfs.ext4 makes.
func withoutLostFound(e *listing.Entry) bool { return e.Path != "lost+found" }

// chainOf is the key of the topmost committed snapshot that a container's lies
// on.
func chainOf(t *testing.T, d *daemon.Daemon, snapshotter string) string {
	t.Helper()
	for line := range strings.Lines(d.Ctr(t, "snapshots", "--snapshotter", snapshotter, "list")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "web" {
			return fields[1]
		}
	}
	t.Fatal("the container has no snapshot")
	return ""
}

// committedOf is an unpacked image's topmost snapshot as a SOURCE: what an export
// of the image reads by itself, but mounted by the kernel.
func committedOf(t *testing.T, d *daemon.Daemon, image string) string {
	t.Helper()
	meta := filepath.Join(t.TempDir(), "meta.json")
	ctrRootfs(t, "export", "--address", d.Address, "-o", "/dev/null", "--metadata-file", meta, image)
	return "snapshot:" + readMetadata(t, meta).ChainID
}

// takeSnapshot takes a snapshot by ctr ("view" or "prepare", key and parent) and keeps
// it from the collector, which may be faster: then once more.
func takeSnapshot(t *testing.T, d *daemon.Daemon, snapshotter string, take ...string) {
	t.Helper()
	key := take[1]
	waitUntil(t, "snapshot "+key+" is kept", func() bool {
		if _, err := d.Run(append([]string{"snapshots", "--snapshotter", snapshotter}, take...)...); err != nil && !strings.Contains(err.Error(), "already exists") {
			t.Fatal(err)
		}
		_, err := d.Run("snapshots", "--snapshotter", snapshotter, "label", key, "containerd.io/gc.root=now")
		return err == nil
	})
}

// snapshotterDaemon starts a daemon with a snapshotter that may need a
// filesystem of its own, in a loop file.
func snapshotterDaemon(t *testing.T, snapshotter string) *daemon.Daemon {
	t.Helper()
	needsRoot(t)
	switch snapshotter {
	case "btrfs":
		needsProgram(t, "mkfs.btrfs", "btrfs-progs")
		return btrfsDaemon(t)
	case "blockfile":
		scratch := loopFile(t, 64<<20)
		command(t, nil, "mkfs.ext4", "-q", "-O", "^has_journal", scratch)
		return daemon.Start(t, daemon.Options{Config: fmt.Sprintf(`
[plugins."io.containerd.snapshotter.v1.blockfile"]
scratch_file = %q
fs_type = "ext4"
`, scratch)})
	case "erofs":
		needsProgram(t, "mkfs.erofs", "erofs-utils")
	}
	return daemon.Start(t, daemon.Options{})
}

func needsProgram(t *testing.T, name, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("SKIPPED: %s is not installed: apt-get install %s", name, pkg)
	}
}

// loopFile makes a sparse file.
func loopFile(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// btrfsDaemon mounts a btrfs where the snapshotter wants one, before the daemon
// starts, and takes it off when it has ended.
func btrfsDaemon(t *testing.T) *daemon.Daemon {
	t.Helper()
	disk := loopFile(t, 256<<20)
	command(t, nil, "mkfs.btrfs", "-q", disk)
	dir, err := os.MkdirTemp("", "ctrd")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root", "io.containerd.snapshotter.v1.btrfs")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, nil, "mount", "-o", "loop", disk, root)
	t.Cleanup(func() {
		command(t, nil, "umount", root)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return daemon.Start(t, daemon.Options{Dir: dir})
}
