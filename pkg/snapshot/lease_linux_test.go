package snapshot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/pkg/namespaces"
)

// slow is a backend with which opening a view of layers takes an hour, at the
// end of which it notes how long the leases are to live yet.
type slow struct {
	backend
	sess *session
	left []time.Duration
}

func (s *slow) acquire(ctx context.Context) (_ *session, err error) {
	s.sess, err = s.backend.acquire(ctx)
	return s.sess, err
}

func (s *slow) blobs() (content.Provider, bool, error) {
	time.Sleep(time.Hour)
	found, err := s.sess.client.LeasesService().List(namespaces.WithNamespace(context.Background(), namespaces.Default))
	if err != nil {
		return nil, false, err
	}
	for _, lease := range found {
		expires, err := time.Parse(time.RFC3339, lease.Labels[expiryLabel])
		if err != nil {
			return nil, false, err
		}
		s.left = append(s.left, time.Until(expires))
	}
	return s.backend.blobs()
}

// TestOpeningOutlastsTheLease opens a view for many times the life of its lease:
// what is opened is held all the time, in the end by a lease of that life.
func TestOpeningOutlastsTheLease(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	s.opts.LeaseLife = 2 * time.Minute
	opening := &slow{backend: s.backend}
	synctest.Test(t, func(t *testing.T) {
		s.backend = opening
		view, err := s.View(t.Context(), layersRequest())
		if err != nil {
			t.Fatal(err)
		}
		if len(opening.left) != 1 || opening.left[0] < s.opts.LeaseLife {
			t.Errorf("while opening, the leases expire in %v, want one, in more than %v", opening.left, s.opts.LeaseLife)
		}
		if _, err := s.RemoveImages(t.Context()); err != nil {
			t.Error(err)
		}
		blobs, _, err := opening.backend.blobs()
		if err != nil {
			t.Fatal(err)
		}
		blob, err := blobs.ReaderAt(t.Context(), view.Layers[0].Descriptor)
		if err != nil {
			t.Errorf("a layer after the collector: %v", err)
		} else if err := blob.Close(); err != nil {
			t.Error(err)
		}
		err = s.with(t.Context(), func(ctx context.Context, sess *session) error {
			found, err := sess.client.LeasesService().List(ctx)
			if err != nil || len(found) != 1 || found[0].ID == view.Key || found[0].Labels[LabelRun] != view.Key {
				t.Errorf("once open, there are the leases %v, %v; want the second of %q", found, err, view.Key)
				return nil
			}
			if expires, err := time.Parse(time.RFC3339, found[0].Labels[expiryLabel]); err != nil || time.Until(expires) > s.opts.LeaseLife {
				t.Errorf("once open, the lease %v is to live for more than %v (%v)", found[0], s.opts.LeaseLife, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := view.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if n := leasesOf(t, s); n != 0 {
		t.Errorf("%d leases are left", n)
	}
}

// TestShortLeaseLife refuses what there is no time to hand over in.
func TestShortLeaseLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for _, life := range []time.Duration{-time.Hour, -1, 1, MinLeaseLife - 1} {
		s, err := Open(t.Context(), Options{Location: Location{Dir: dir}, LeaseLife: life})
		if err == nil {
			t.Errorf("a lease life of %v: %v, want an error", life, errors.Join(err, s.Close()))
		}
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store was made before (%v)", err)
	}
}
