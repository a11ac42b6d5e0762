package snapshot

import (
	"context"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestImageOfContainer finds among the platforms of an image the one that a
// container was made from, by the snapshot below its own.
func TestImageOfContainer(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	made := newShelf()
	plain := with(made.image("plain", "linux/amd64"), "linux/amd64", "", "")
	needing := with(made.image("needing", "linux(+other)/amd64"), "linux(+other)/amd64", "", "")
	foreign := with(made.image("foreign", "linux/s390x"), "linux/s390x", "", "")
	sbom := made.about(nil, "application/spdx+json", ispec.MediaTypeEmptyJSON, "application/spdx+json")
	index := made.index(with(lost(), "linux/arm64", "", ""), sbom, plain, needing, foreign)
	other := made.image("other", "linux/amd64")
	lie := made.add(ispec.MediaTypeImageManifest, []byte(`{"config":{},"layers":[],"manifests":[]}`))
	put(t, s, images.Image{Name: "example.com/x:1", Target: index}, made.documents)
	put(t, s, images.Image{Name: "example.com/lie:1", Target: lie}, documents{})

	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	chains := map[string]ispec.Descriptor{"plain": plain, "needing": needing, "foreign": foreign, "other": other}
	for _, c := range []struct{ on, name, want, said string }{
		{"plain", "example.com/x:1", "plain linux/amd64", ""},
		{"needing", "example.com/x:1", "needing linux(+other)/amd64", ""},
		{"foreign", "example.com/x:1", "foreign linux/s390x", ""},
		{"other", "example.com/x:1", "", "not found"},
		{"plain", "example.com/none:1", "", "not found"},
		{"plain", "example.com/lie:1", "", `it has "manifests"`},
	} {
		for _, remapped := range []bool{false, true} {
			err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
				image, err := load(ctx, made, "", chains[c.on])
				if err != nil {
					return err
				}
				parent := image.ChainID().String()
				commit(ctx, t, sess, parent, "")
				if remapped {
					commit(ctx, t, sess, parent+"-remapped", parent)
					parent += "-remapped"
				}
				got, err := imageOf(ctx, sess, containers.Container{ID: "c", Image: c.name, Snapshotter: overlaySnapshotter}, snapshots.Info{Parent: parent}, want)
				switch {
				case c.said != "" && (err == nil || !strings.Contains(err.Error(), c.said) || errdefs.IsNotFound(err) != (c.said == "not found")):
					t.Errorf("%s on %s (remapped: %v): error %v, want %q", c.name, c.on, remapped, err, c.said)
				case c.said == "" && err != nil:
					t.Errorf("%s on %s (remapped: %v): %v", c.name, c.on, remapped, err)
				case c.said == "" && (got.cmd()+" "+got.PlatformText() != c.want || got.Target.Digest != index.Digest):
					t.Errorf("%s on %s (remapped: %v): %s %s of %s, want %s of %s", c.name, c.on, remapped, got.cmd(), got.PlatformText(), got.Target.Digest, c.want, index.Digest)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// commit makes a committed snapshot where there is none.
func commit(ctx context.Context, t *testing.T, sess *session, name, parent string) {
	t.Helper()
	sn := sess.client.SnapshotService(overlaySnapshotter)
	if _, err := sn.Stat(ctx, name); err == nil {
		return
	}
	if _, err := sn.Prepare(ctx, name+"-", parent); err != nil {
		t.Fatal(err)
	}
	if err := sn.Commit(ctx, name, name+"-"); err != nil {
		t.Fatal(err)
	}
}
