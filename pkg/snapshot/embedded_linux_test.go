package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting needs root: run the tests as root")
	}
}

const storedName = "docker.io/library/stored:1"

// storeWithImage makes an embedded store with an image of one layer, which is
// only ever named.
func storeWithImage(t *testing.T) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(t.Context(), Options{Location: Location{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	layer := []byte("a layer")
	config, err := json.Marshal(ispec.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	made := documents{}
	manifest, err := json.Marshal(ispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ispec.MediaTypeImageManifest,
		Config: made.add(ispec.MediaTypeImageConfig, config),
		Layers: []ispec.Descriptor{made.add(ispec.MediaTypeImageLayer, layer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	target := made.add(ispec.MediaTypeImageManifest, manifest)
	put(t, s, images.Image{Name: storedName, Target: target}, made)
	return s
}

// put puts an image's record and blobs into s.
func put(t *testing.T, s *Store, record images.Image, blobs documents) {
	t.Helper()
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		for d, data := range blobs {
			desc := ispec.Descriptor{Digest: d, Size: int64(len(data))}
			if err := content.WriteBlob(ctx, sess.client.ContentStore(), d.String(), strings.NewReader(string(data)), desc); err != nil {
				return err
			}
		}
		_, err := sess.client.ImageService().Create(ctx, record)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func layersRequest() Request {
	return Request{
		Source: Source{Kind: ImageName, Name: storedName, Typed: storedName}, Platform: "linux/amd64",
		Pull: PullNever, Via: ViaLayers,
	}
}

// leasesOf counts the leases of this tool in a store.
func leasesOf(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		found, err := sess.client.LeasesService().List(ctx)
		n = len(found)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUndoWaitsForTheStore closes a view while another process holds the store
// for longer than undoing may take, after its own work was cancelled.
func TestUndoWaitsForTheStore(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		view, err := s.View(ctx, layersRequest())
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		held, err := s.backend.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(5*time.Minute, func() {
			if err := s.backend.release(t.Context(), held); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		if err := view.Close(ctx); err != nil {
			t.Errorf("closing the view after %v: %v", time.Since(start), err)
		}
		if waited := time.Since(start); waited < 5*time.Minute {
			t.Errorf("it waited %v, so this test tests nothing", waited)
		}
	})
	if n := leasesOf(t, s); n != 0 {
		t.Errorf("%d leases are left", n)
	}
}

// TestBusyStore gives up in time, and says why.
func TestBusyStore(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	synctest.Test(t, func(t *testing.T) {
		held, err := s.backend.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cause := errors.New("the caller's cause")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
		defer cancel()
		for ctx, want := range map[context.Context]error{ctx: cause, t.Context(): errStoreBusy} {
			_, err := s.View(ctx, layersRequest())
			var store *StoreError
			if !errors.As(err, &store) || !errors.Is(err, want) || !errors.Is(err, errStoreBusy) {
				t.Errorf("a store that is held: %v, want a StoreError about %q", err, want)
			}
		}
		if err := s.backend.release(t.Context(), held); err != nil {
			t.Error(err)
		}
	})
}

// stuck is a backend whose first release fails: closing a database cannot be
// made to.
type stuck struct {
	backend
	err error
}

func (s *stuck) release(ctx context.Context, sess *session) error {
	err := s.err
	s.err = nil
	return errors.Join(err, s.backend.release(ctx, sess))
}

// TestReleaseFails has everything go well but for letting go of the store.
func TestReleaseFails(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	failure := errors.New("closing fails")
	s.backend = &stuck{s.backend, failure}
	if view, err := s.View(t.Context(), layersRequest()); !errors.Is(err, failure) {
		t.Errorf("View = %v, %v", view, err)
	}
	if n := leasesOf(t, s); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	s.backend = &stuck{s.backend, failure}
	work := errors.New("the work fails")
	err := s.with(t.Context(), func(context.Context, *session) error { return work })
	if !errors.Is(err, work) || !errors.Is(err, failure) {
		t.Errorf("both fail, but the error is %v", err)
	}
}

// TestAbandonClosesTheRoot has something fail after the root was opened.
func TestAbandonClosesTheRoot(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	root, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := &View{Root: root, store: s, made: new(ledger)}
	failure := errors.New("it fails")
	err = s.with(t.Context(), func(ctx context.Context, sess *session) error {
		return v.attempt(ctx, sess, func() error { return failure })
	})
	if undo := (*UndoError)(nil); !errors.Is(err, failure) || errors.As(err, &undo) {
		t.Error(err)
	}
	if err := root.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the root was open still: closing it again gives %v", err)
	}
}

// TestLeaseIsHandedOver keeps a view for many times the life of its lease: one
// lease holds what the first did, and none is left in the end.
func TestLeaseIsHandedOver(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	s.opts.LeaseLife = 2 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		view, err := s.View(t.Context(), layersRequest())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		err = s.with(t.Context(), func(ctx context.Context, sess *session) error {
			found, err := sess.client.LeasesService().List(ctx)
			if err != nil || len(found) != 1 {
				t.Errorf("an hour later there are the leases %v, %v", found, err)
				return nil
			}
			expires, err := time.Parse(time.RFC3339, found[0].Labels[expiryLabel])
			if left := time.Until(expires); err != nil || left < 30*time.Second || found[0].ID == view.Key || found[0].Labels[LabelRun] != view.Key {
				t.Errorf("an hour later the lease %v expires in %v", found[0], left)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := view.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if n := leasesOf(t, s); n != 0 {
		t.Errorf("%d leases are left", n)
	}
}

// TestLayersAreHeld has the image removed, and the garbage collected, while its
// layers are to be read.
func TestLayersAreHeld(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	view, err := s.View(t.Context(), layersRequest())
	if err != nil {
		t.Fatal(err)
	}
	if names, err := s.RemoveImages(t.Context()); err != nil || len(names) != 1 {
		t.Fatalf("removed %q, %v", names, err)
	}
	if _, err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	blob, err := view.Layers[0].Open(t.Context())
	if err != nil {
		t.Fatalf("a layer that is held: %v", err)
	}
	if err := blob.Close(); err != nil {
		t.Error(err)
	}
	if err := view.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := view.Layers[0].Open(t.Context()); err == nil {
		t.Error("the layer is there still after the view")
	}
}
