package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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

// unavailable says whether a call failed since the daemon is not there, or went
// away meanwhile.
func unavailable(err error) bool {
	return errdefs.IsUnavailable(err) || status.Code(err) == codes.Unavailable
}

// abandon undoes what an open that failed has made.
func (v *View) abandon(ctx context.Context, sess *session) error {
	ctx, cancel := undoing(ctx)
	defer cancel()
	return errors.Join(v.closeRoot(), v.undo(ctx, sess, true))
}

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
	left := remains{run: v.Key, lease: v.lease, paused: v.paused, mounted: v.activated}
	// A view is taken under a lease alone: without one, a container's snapshotter
	// may be one that the daemon does not have.
	if v.Snapshotter != "" && v.lease.ID != "" {
		left.snapshotters = []string{v.Snapshotter}
	}
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
	// snapshotters are those that may have a view of it.
	snapshotters []string
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
