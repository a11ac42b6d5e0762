package integration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// nativeLoses exports from the native snapshotter, which copies a parent's
// tree for each layer: what is exported is what its snapshot holds, and what
// that lacks is listed here.
func nativeLoses(t *testing.T, d *daemon.Daemon) {
	image := imagetest.TortureChanges()
	const ref = "example.com/changes:1"
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, ref, image))
	got := readTar(t, ctrRootfs(t, "export", "--address", d.Address, "--snapshotter", "native", "--profile", "none", ref).stdout)
	held := mountedSnapshot(t, d, "native", ref)
	if diff := listing.Diff(held, got); diff != "" {
		t.Errorf("- the snapshot, + exported:\n%s", diff)
	}
	diff := listing.Diff(exportedArchive(t, image).Edit(nativeLoss).Regroup(), got.Edit(nativeLoss).Regroup())
	if diff != "" {
		t.Errorf("native loses more than is known: - overlayfs, + native:\n%s", diff)
	}
}

// nativeLoss takes from an entry what the native snapshotter is known to lose.
func nativeLoss(e *listing.Entry) bool {
	switch e.Type {
	case "dir":
		e.Sec, e.Nsec = 0, 0 // the time of the copying
	case "symlink", "char", "block", "fifo":
		e.Group = "" // each name is copied for itself
	}
	return true
}

// flatKeeps exports a directory that a later layer names again without an
// attribute: where the layers are unpacked into one tree, containerd leaves it.
func flatKeeps(t *testing.T, d *daemon.Daemon) {
	const ref = "example.com/again:1"
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, ref, imagetest.DirectoryAgain()))
	const clean = `"d" dir 0755 0:0 time=1614834367.000000000`
	const kept = clean + ` "user.old"="1"`
	for snapshotter, want := range map[string]string{
		"overlayfs": clean, "erofs": clean, "btrfs": kept, "blockfile": kept, "native": kept,
	} {
		t.Run(snapshotter, func(t *testing.T) {
			needsSnapshotter(t, d, snapshotter)
			l := readTar(t, ctrRootfs(t, "export", "--address", d.Address, "--snapshotter", snapshotter, "--profile", "none", ref).stdout)
			if got := strings.TrimSpace(l.String()); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
	for _, l := range []listing.Listing{unpackedByUmoci(t, imagetest.DirectoryAgain()), exportedVia(t, "layers", imagetest.DirectoryAgain())} {
		if got := strings.TrimSpace(l.String()); got != clean {
			t.Errorf("umoci, or merging the layers, gives %s\nwant %s", got, clean)
		}
	}
}

// erofsRefuses exports what mkfs.erofs cannot hold: the error is containerd's,
// on one line, and with what to do.
func erofsRefuses(t *testing.T, d *daemon.Daemon) {
	needsSnapshotter(t, d, "erofs")
	o := invocation{args: []string{"export", "--address", d.Address, "--snapshotter", "erofs", "--profile", "none", "example.com/torture:1"}}.run(t)
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	said := lines[len(lines)-1]
	if o.status != statusFailed || !strings.Contains(said, "erofs apply failed") || !strings.HasSuffix(said, "use another --snapshotter, or --via layers") {
		t.Errorf("exit status %d:\n%s", o.status, o.stderr)
	}
}

// erofsModesAreDoubted exports directories that are as containerd's erofs differ
// makes those that a layer does not name (with erofs-utils 1.8 and newer, which
// Debian 12 has not: here the image itself has one so). A warning is printed
// where erofs's snapshots are read, and nowhere else.
func erofsModesAreDoubted(t *testing.T, d *daemon.Daemon) {
	needsSnapshotter(t, d, "erofs")
	const ref = "example.com/open:1"
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, ref, imagetest.Image{Layers: []imagetest.Layer{
		{imagetest.Dir("etc", 0o777), imagetest.Dir("tmp", 0o1777), imagetest.Dir("srv", 0o777).Own(1000, 1000)},
		{imagetest.Dir("usr", 0o777)},
	}}))
	const word = `"etc" and 1 more have mode 0777 and owner 0:0`
	for _, c := range []struct {
		flags []string
		said  bool
	}{
		{[]string{"--snapshotter", "erofs"}, true},
		{[]string{"--snapshotter", "erofs", "--progress", "quiet"}, true},
		{[]string{"--snapshotter", "erofs", "--reproducible", "--prefix", "x"}, true},
		{[]string{"--snapshotter", "erofs", "--exclude", "etc", "--exclude", "usr"}, false},
		{[]string{"--snapshotter", "erofs", "--via", "layers"}, false},
		{[]string{"--snapshotter", "overlayfs"}, false},
	} {
		metadata := filepath.Join(t.TempDir(), "metadata.json")
		args := append([]string{"export", "--address", d.Address, "--profile", "none", "--metadata-file", metadata, ref}, c.flags...)
		o := ctrRootfs(t, args...)
		text, err := os.ReadFile(metadata)
		if err != nil {
			t.Fatal(err)
		}
		if said, noted := strings.Contains(o.stderr, word), strings.Contains(string(text), `"doubts"`); said != c.said || noted != c.said {
			t.Errorf("%q: said %v and noted %v, want %v:\n%s%s", c.flags, said, noted, c.said, o.stderr, text)
		}
	}
}

// mountedSnapshot describes an unpacked image as `ctr images mount` shows it
// from a snapshotter.
func mountedSnapshot(t *testing.T, d *daemon.Daemon, snapshotter, name string) listing.Listing {
	t.Helper()
	target := filepath.Join(t.TempDir(), "view")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	d.Ctr(t, "images", "mount", "--snapshotter", snapshotter, name, target)
	l, err := listing.OfDir(target)
	d.Ctr(t, "images", "unmount", "--snapshotter", snapshotter, "--rm", target)
	// ctr unmounts, and leaves the daemon's own mount to the collector.
	d.Collect(t)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
