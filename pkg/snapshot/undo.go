package snapshot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

const (
	// undoTimeout bounds what is undone after the caller's context has ended: a
	// daemon that restarts is given time to come back.
	undoTimeout = 30 * time.Second
	// undoPoll is how often a daemon that went away is tried.
	undoPoll = 200 * time.Millisecond
)

// undoing gives the context on which to clean up: not cancelled with its
// parent, but not endless. Waiting for an embedded store is not part of it.
func undoing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
}

// outlivingKey is of the value that givingUp finds.
type outlivingKey struct{}

// outliving gives a context that does not end with ctx, on which to open an embedded
// store and to undo: after the end of ctx only what hangs is given up.
func outliving(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), outlivingKey{}, ctx)
}

// givingUp gives the context whose end has what hangs given up: ctx itself, or the one
// that it outlives.
func givingUp(ctx context.Context) context.Context {
	if outlived, is := ctx.Value(outlivingKey{}).(context.Context); is {
		return outlived
	}
	return ctx
}

// unavailable says whether a call failed since the daemon is not there, or went
// away meanwhile.
func unavailable(err error) bool {
	return errdefs.IsUnavailable(err) || status.Code(err) == codes.Unavailable
}

// attempt runs open, which makes what the view consists of, and undoes that where it
// fails. An open that hangs is left behind with the session: it makes nothing more,
// and closes them in the end.
func (v *View) attempt(ctx context.Context, sess *session, open func() error) error {
	var failed *failedError
	err := hostfile.SettleErr(ctx, func() error {
		if err := open(); err != nil {
			return &failedError{err}
		}
		return nil
	}, func(error) {
		_ = errors.Join(v.closeRoot(), v.store.backend.release(ctx, sess)) // nobody listens any more
	})
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		err = errors.Join(v.store.cause(ctx, failed.error), v.closeRoot())
	default:
		sess.lost = true
	}
	embedded := sess.collect != nil
	v.made.shut(embedded)
	whole, cancel := undoing(ctx)
	defer cancel()
	undo := func() error { return v.undo(whole, sess, true) }
	if !embedded || !sess.lost {
		return errors.Join(err, undo())
	}
	// What hangs may hold the embedded store's database.
	return errors.Join(err, hostfile.SettleErr(ctx, undo, nil))
}

// failedError is of an open that returned.
type failedError struct{ error }

// closeRoot comes before undoing: the daemon cannot unmount what is open.
func (v *View) closeRoot() error {
	if v.Root == nil {
		return nil
	}
	err := v.Root.Close()
	v.Root = nil
	return err
}

// undo removes what open made; failed says that an unpacking may stand there
// half done. A daemon that went away is tried until it is back, or ctx ends. Every
// error is an UndoError.
func (v *View) undo(ctx context.Context, sess *session, failed bool) error {
	for told, well := false, false; ; {
		err := v.undoOnce(ctx, sess, failed)
		switch {
		case err == nil:
			return nil
		case tookTooLong(err) && ended(ctx, err):
			return &UndoError{Key: v.Key, Err: errNoAnswer}
		case !unavailable(err) || well:
			return &UndoError{Key: v.Key, Err: err}
		}
		// A daemon that is well says so of a plugin in another process; one that has
		// just come back is asked once more.
		if well = v.store.backend.answers(ctx); well {
			continue
		}
		if !told {
			told = true
			v.store.opts.Notify(fmt.Sprintf("waiting up to %s for %s, to remove %q there", undoTimeout, v.store.opts.Location, v.Key))
		}
		select {
		case <-ctx.Done():
			return &UndoError{Key: v.Key, Err: errNoAnswer}
		case <-time.After(undoPoll):
		}
	}
}

// undoOnce removes what the view has made, and the garbage where nobody else does.
// What is undone already is no error.
func (v *View) undoOnce(ctx context.Context, sess *session, failed bool) error {
	left := v.made.noted()
	err := left.remove(ctx, sess, failed)
	if sess.collect != nil {
		if gerr := sess.collect(ctx); gerr != nil {
			err = errors.Join(err, fmt.Errorf("collecting garbage: %w", gerr))
		}
	}
	return err
}

// remains are what a run may have left in a store.
type remains struct {
	run   string
	lease leases.Lease
	// paused is the container whose task it held still, maybe with other runs; empty
	// for none.
	paused string
	// mounted says that the daemon's mount manager may hold mounts for it.
	mounted bool
	// snapshotters are those that may have a view of it; taking says that one of
	// them may be about to.
	snapshotters []string
	taking       bool
}

// ledger has what a run makes in a store. It is noted before it is made; once the
// ledger is shut nothing is made any more.
type ledger struct {
	mu      sync.Mutex
	closed  bool
	remains remains
	// calls is held by one that must not be cancelled half way.
	calls sync.Mutex
}

// errGivenUp ends an opening that nobody waits for any more.
var errGivenUp = errors.New("it was given up")

func (l *ledger) note(note func(*remains)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errGivenUp
	}
	note(&l.remains)
	return nil
}

func (l *ledger) noted() remains {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.remains
}

// whole makes a call that is not cancelled half way: a daemon could do it after what
// it makes was looked for in vain. The call has undoTimeout.
func (l *ledger) whole(ctx context.Context, call func(context.Context) error) error {
	l.calls.Lock()
	defer l.calls.Unlock()
	if err := l.note(func(*remains) {}); err != nil {
		return err
	}
	ctx, cancel := undoing(ctx)
	defer cancel()
	return call(ctx)
}

// shut waits for such a call, unless it may hang in a file.
func (l *ledger) shut(mayHang bool) {
	if !mayHang {
		l.calls.Lock()
		defer l.calls.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// remove goes in the reverse order of making, and goes on where one step fails,
// but keeps the leases then: by that Collect finds the rest. What is not there is
// no error. now is unlease's.
func (r remains) remove(ctx context.Context, sess *session, now bool) error {
	var errs []error
	var resuming leases.Lease
	if r.paused != "" {
		resuming = resumingLease(r.run, r.paused)
		errs = append(errs, letGo(ctx, sess, resuming))
	}
	if r.mounted && sess.mounts != nil {
		err := sess.mounts.Deactivate(ctx, r.run)
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsNotImplemented(err) {
			errs = append(errs, fmt.Errorf("deactivating the mounts of %q: %w", r.run, err))
		}
	}
	if r.taking {
		// The view goes with the lease, or is not made for want of it. While the daemon
		// takes it, a collection waits for that, and all that is asked of the snapshotter
		// waits for the collection.
		r.snapshotters = nil
	}
	for _, name := range r.snapshotters {
		err := sess.client.SnapshotService(name).Remove(ctx, r.run)
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("removing view %q: %w", r.run, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if r.paused != "" {
		return forget(ctx, sess, resuming, now)
	}
	return unlease(ctx, sess, r.lease, now)
}
