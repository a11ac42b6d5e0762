package integration_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// subject is an image whose bytes have to be the same from everywhere.
type subject struct {
	name    string
	archive string
	// store is the embedded store from whose view it was exported: want under
	// --reproducible, and entries without.
	store   string
	want    []byte
	entries listing.Listing
	// untimed are the directories that a layer changes without naming them:
	// they have the time of the unpacking.
	untimed []string
}

// subjects are exported once each from an embedded store.
func subjects(t *testing.T) []subject {
	t.Helper()
	images := []struct {
		name    string
		image   imagetest.Image
		untimed []string
	}{
		{"standard", standard(t), []string{"usr", "usr/share"}},
		{"torture", imagetest.Torture(), []string{"layered", "links", "unnamed", "unnamed/by", "unnamed/by/any"}},
		{"one-layer", imagetest.TortureOneLayer(), nil},
		{"no-layer", imagetest.Image{}, nil},
	}
	all := make([]subject, 0, len(images))
	for _, i := range images {
		created := time.Date(2023, time.January, 2, 3, 4, 5, 0, time.UTC)
		i.image.Created = &created
		s := subject{name: i.name, untimed: i.untimed}
		s.archive = writeArchive(t, s.ref(), i.image)
		s.store = filepath.Join(t.TempDir(), "store")
		s.want = s.export(t, "--store", s.store, "--via", "view", "--reproducible", "oci-archive:"+s.archive)
		s.entries = readTar(t, s.export(t, "--store", s.store, "--via", "view", "oci-archive:"+s.archive))
		all = append(all, s)
	}
	return all
}

func (s subject) ref() string { return "example.com/" + s.name + ":1" }

func (s subject) export(t *testing.T, args ...string) []byte {
	t.Helper()
	return ctrRootfs(t, append([]string{"export", "--profile", "none"}, args...)...).stdout
}

// compare exports the subject with args, which say from where.
func (s subject) compare(t *testing.T, args ...string) {
	t.Helper()
	s.compareBytes(t, args...)
	got := s.withoutTimes(readTar(t, s.export(t, args...)))
	if diff := listing.Diff(s.withoutTimes(s.entries), got); diff != "" {
		t.Errorf("without --reproducible more differs than the times of %q: - embedded store, + here:\n%s", s.untimed, diff)
	}
}

func (s subject) compareBytes(t *testing.T, args ...string) {
	t.Helper()
	if got := s.export(t, append(args, "--reproducible")...); !bytes.Equal(got, s.want) {
		t.Errorf("%d bytes differ from %d: - embedded store, + here:\n%s", len(got), len(s.want), listing.Diff(readTar(t, s.want), readTar(t, got)))
	}
}

// withoutTimes clears the times that unpacking gives.
func (s subject) withoutTimes(l listing.Listing) listing.Listing {
	return l.Edit(func(e *listing.Entry) bool {
		if slices.Contains(s.untimed, e.Path) {
			e.Sec, e.Nsec = 0, 0
		}
		return true
	})
}

// TestSameBytesFromEveryStore exports the same images from embedded stores and
// from every daemon and snapshotter that is to be had.
func TestSameBytesFromEveryStore(t *testing.T) {
	needsRoot(t)
	all := subjects(t)
	t.Run("embedded", func(t *testing.T) {
		for _, s := range all {
			for name, store := range map[string]string{"same store": s.store, "fresh store": filepath.Join(t.TempDir(), "store")} {
				t.Run(s.name+" "+name, func(t *testing.T) {
					s.compareBytes(t, "--store", store, "--via", "view", "oci-archive:"+s.archive)
				})
			}
			t.Run(s.name+" layers", func(t *testing.T) {
				s.compare(t, "--store", filepath.Join(t.TempDir(), "store"), "--via", "layers", "oci-archive:"+s.archive)
			})
		}
	})
	t.Run("containerd 2", func(t *testing.T) {
		d := startWithSnapshotters(t)
		importAll(t, d, all)
		for _, snapshotter := range []string{"overlayfs", "btrfs", "blockfile", "erofs", "native"} {
			t.Run(snapshotter, func(t *testing.T) { compareAll(t, d, snapshotter, all) })
		}
		t.Run("native loses", func(t *testing.T) { nativeLoses(t, d) })
		t.Run("flat keeps", func(t *testing.T) { flatKeeps(t, d) })
		t.Run("erofs refuses", func(t *testing.T) { erofsRefuses(t, d) })
		t.Run("erofs native", func(t *testing.T) { erofsNative(t, d, all) })
		t.Run("erofs modes are doubted", func(t *testing.T) { erofsModesAreDoubted(t, d) })
	})
	t.Run("containerd 1.7", func(t *testing.T) {
		d := daemon.Start(t, daemon.Options{Tool: "containerd-1.7"})
		importAll(t, d, all)
		compareAll(t, d, "overlayfs", all)
	})
	t.Run("containerd 1.6", func(t *testing.T) {
		d := daemon.Start(t, oldDaemon(t))
		importAll(t, d, all)
		compareAll(t, d, "overlayfs", all)
	})
}

func importAll(t *testing.T, d *daemon.Daemon, all []subject) {
	t.Helper()
	for _, s := range all {
		d.Ctr(t, "images", "import", "--no-unpack", s.archive)
	}
}

// compareAll has the tool unpack the images, whose content the daemon has.
func compareAll(t *testing.T, d *daemon.Daemon, snapshotter string, all []subject) {
	needsSnapshotter(t, d, snapshotter)
	for _, s := range all {
		if !snapshotterHolds(snapshotter, s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) { s.compare(t, "--address", d.Address, "--snapshotter", snapshotter, s.ref()) })
	}
}

// snapshotterHolds says which images a snapshotter keeps as they are. native
// copies the parent's tree and loses on the way, see nativeLoses; erofs holds no
// torture, see erofsRefuses.
func snapshotterHolds(snapshotter, image string) bool {
	switch snapshotter {
	case "native":
		return image == "one-layer" || image == "no-layer"
	case "erofs":
		return image == "standard" || image == "no-layer"
	}
	return true
}
