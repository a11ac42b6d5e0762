package snapshot

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
)

// spoiled is a backend of which ctx is cancelled as soon as it is in use, and
// whose collector fails: a database cannot be made to.
type spoiled struct {
	backend
	cancel func()
	err    error
}

func (s spoiled) acquire(ctx context.Context) (*session, error) {
	sess, err := s.backend.acquire(ctx)
	if err == nil {
		sess.collect = func(context.Context) error { return s.err }
		s.cancel()
	}
	return sess, err
}

// TestUndoFailsAfterASignal says both, why the work ended and what it left.
func TestUndoFailsAfterASignal(t *testing.T) {
	needRoot(t)
	signal, failure := errors.New("a signal"), errors.New("the disk is gone")
	for name, open := range map[string]func(*Store, context.Context) error{
		"View": func(s *Store, ctx context.Context) error {
			_, err := s.View(ctx, layersRequest())
			return err
		},
		"Image": func(s *Store, ctx context.Context) error {
			_, err := s.Image(ctx, layersRequest())
			return err
		},
	} {
		s, err := Open(t.Context(), Options{Location: Location{Dir: filepath.Join(t.TempDir(), "store")}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		s.backend = spoiled{s.backend, func() { cancel(signal) }, failure}
		err = open(s, ctx)
		var undo *UndoError
		if !errors.Is(err, signal) || !errors.Is(err, failure) || !errors.As(err, &undo) || undo.Key == "" {
			t.Errorf("%s = %v, want %q and an UndoError of %q", name, err, signal, failure)
		}
	}
}

// busy is a mount manager whose mounts cannot be removed.
type busy struct{ mount.Manager }

func (busy) Deactivate(context.Context, string) error { return syscall.EBUSY }

// TestLeaseStaysWithWhatIsLeft removes a run's view whose mounts are in use: the
// lease stays, by which Collect finds them, until that succeeds.
func TestLeaseStaysWithWhatIsLeft(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		v := &View{Key: "run", store: s, made: new(ledger)}
		if _, err := v.hold(ctx, sess, nil); err != nil {
			return err
		}
		if err := v.made.note(func(r *remains) { r.mounted = true }); err != nil {
			return err
		}
		sess.mounts = busy{}
		var undo *UndoError
		if err := v.undo(ctx, sess, false); !errors.Is(err, syscall.EBUSY) || !errors.As(err, &undo) {
			t.Errorf("undo = %v, want an UndoError of %v", err, syscall.EBUSY)
		}
		found, err := sess.client.LeasesService().List(ctx)
		if err != nil || len(found) != 1 {
			t.Errorf("there are the leases %v, %v; want that of the run", found, err)
		}
		sess.mounts = nil
		return v.undo(ctx, sess, false)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := leasesOf(t, s); n != 0 {
		t.Errorf("%d leases are left", n)
	}
}
