package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
)

const (
	// leaseChecks is how often in a lease's life it is looked at, and
	// maxLeaseCheck the longest in between: see left.
	leaseChecks   = 8
	maxLeaseCheck = time.Minute
)

// keeper keeps a lease from expiring. containerd's leases cannot be prolonged:
// when half of its life is over, a new one takes over what it holds.
type keeper struct {
	store *Store
	stop  context.CancelFunc
	done  chan struct{}
	// The rest is the keeper's own from start until done is closed.
	lease leases.Lease
	// made counts the leases of the run.
	made int
	// err is why the lease could not be handed over the last time.
	err error
}

// settle gives the keeper of what a view was opened under, not started yet. A
// lease that is to live for less time than an opening may take takes that over
// first, in the session of the opening: nobody has collected in an embedded
// store until now.
func (v *View) settle(ctx context.Context, sess *session) (*keeper, error) {
	k := &keeper{store: v.store, done: make(chan struct{}), lease: v.made.noted().lease, made: 1}
	if v.store.opts.LeaseLife >= openingLife {
		return k, nil
	}
	err := v.made.whole(ctx, func(ctx context.Context) error {
		err := k.handOver(ctx, sess)
		return errors.Join(err, v.made.note(func(r *remains) { r.lease = k.lease }))
	})
	return k, err
}

// start lets the keeper go on until it is ended, also after ctx.
func (k *keeper) start(ctx context.Context) {
	ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	go k.run(ctx)
}

// left is how long the lease holds, by the clock that the collector goes by: a
// timer does not see that a machine slept. An expiry is kept in whole seconds.
func (k *keeper) left() time.Duration {
	return time.Until(k.lease.CreatedAt.Round(0).Add(k.store.opts.LeaseLife).Truncate(time.Second))
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	life := k.store.opts.LeaseLife
	ticker := time.NewTicker(min(life/leaseChecks, maxLeaseCheck))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if k.left() > life/2 {
			continue
		}
		k.err = k.store.with(ctx, k.handOver)
	}
}

// end stops the keeper, and gives the lease that holds everything now. An error
// says that it may have expired, and that what it held may be gone.
func (k *keeper) end() (leases.Lease, error) {
	k.stop()
	<-k.done
	if k.err != nil && k.left() < 0 {
		return k.lease, fmt.Errorf("keeping lease %q: it has expired: %w", k.lease.ID, k.err)
	}
	return k.lease, nil
}

// handOver gives everything that the lease holds to a new one. It is not
// cancelled half way.
func (k *keeper) handOver(ctx context.Context, sess *session) error {
	ctx, cancel := undoing(ctx)
	defer cancel()
	next := leases.Lease{ID: fmt.Sprintf("%s-%d", k.lease.Labels[LabelRun], k.made+1), Labels: k.lease.Labels, CreatedAt: time.Now()}
	err := createLease(ctx, sess, next, k.store.opts.LeaseLife)
	if err == nil {
		err = share(ctx, sess.client.LeasesService(), k.lease, next)
	}
	if err != nil {
		return errors.Join(err, unlease(ctx, sess, next, false))
	}
	last := k.lease
	k.lease = next
	k.made++
	return unlease(ctx, sess, last, false)
}

// share has the lease to hold what from holds.
func share(ctx context.Context, store leases.Manager, from, to leases.Lease) error {
	resources, err := store.ListResources(ctx, from)
	if err != nil {
		return fmt.Errorf("listing what lease %q holds: %w", from.ID, err)
	}
	for _, r := range resources {
		if err := store.AddResource(ctx, to, r); err != nil && !errdefs.IsAlreadyExists(err) {
			return fmt.Errorf("giving %s %q to lease %q: %w", r.Type, r.ID, to.ID, err)
		}
	}
	return nil
}
