package snapshot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
)

// defaultLeaseLife is how long a lease holds what a killed process left, before
// the store's collector takes it.
const defaultLeaseLife = 24 * time.Hour

// MinLeaseLife leaves time to hand a lease over: its expiry is in whole seconds.
const MinLeaseLife = 4 * time.Second

// openingLife is the least life of the lease under which a view is opened, as long
// as that of containerd's own client for a pull. It cannot be handed over: what a
// call makes goes to the lease that its context names.
const openingLife = 24 * time.Hour

// LabelRun is on every lease and view that this package makes, with the key of
// the run: what this tool made is told from what others made by it.
const LabelRun = "ctr-rootfs.io/run"

// Labels by which a living run is told from a dead one.
const (
	labelPID       = "ctr-rootfs.io/pid"
	labelStarted   = "ctr-rootfs.io/started"
	labelBootID    = "ctr-rootfs.io/boot-id"
	labelNamespace = "ctr-rootfs.io/pid-namespace"
)

// newKey names a lease and the view under it: unique on this host and on
// others that share the store.
func newKey() (string, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	return fmt.Sprintf("ctr-rootfs-%d-%s", os.Getpid(), hex.EncodeToString(random[:])), nil
}

// leased puts everything that ctx makes from here on under lease, which is made
// here. It is the caller's to delete, also after an error.
func (v *View) leased(ctx context.Context, sess *session, lease leases.Lease) (context.Context, error) {
	err := v.made.whole(ctx, func(ctx context.Context) error {
		return createLease(ctx, sess, lease, max(openingLife, v.store.opts.LeaseLife))
	})
	if err != nil {
		return ctx, err
	}
	return leases.WithLease(ctx, lease.ID), nil
}

func createLease(ctx context.Context, sess *session, lease leases.Lease, life time.Duration) error {
	expires := leases.WithExpiration(life)
	if lease.Labels[labelPaused] != "" {
		expires = leases.WithLabel(labelExpires, time.Now().Add(life).Format(time.RFC3339))
	}
	_, err := sess.client.LeasesService().Create(ctx,
		leases.WithID(lease.ID), leases.WithLabels(maps.Clone(lease.Labels)), expires)
	if err != nil {
		return fmt.Errorf("creating a lease: %w", err)
	}
	return nil
}

// leaseOf describes the first lease of the run named key, with further labels,
// which is to be made at once.
func leaseOf(key string, further map[string]string) leases.Lease {
	labels := processLabels()
	labels[LabelRun] = key
	maps.Copy(labels, further)
	return leases.Lease{ID: key, Labels: labels, CreatedAt: time.Now()}
}

// holdImage puts what is there of an image under the view's lease, which holds
// by itself only what is made under it: somebody may remove the image while it
// is read. With a snapshotter, so are the snapshots of its layers.
func (v *View) holdImage(ctx context.Context, sess *session, snapshotter string) error {
	lease := v.made.noted().lease
	var parts []leases.Resource
	for _, desc := range append(v.Image.documents(), v.Image.Layers...) {
		parts = append(parts, leases.Resource{ID: desc.Digest.String(), Type: "content"})
	}
	for i := range v.Image.Config.RootFS.DiffIDs {
		if snapshotter != "" {
			parts = append(parts, leases.Resource{ID: v.Image.chainID(i + 1).String(), Type: "snapshots/" + snapshotter})
		}
	}
	for _, part := range parts {
		if err := sess.client.LeasesService().AddResource(ctx, lease, part); err != nil {
			return fmt.Errorf("holding %q: %w", part.ID, err)
		}
	}
	return nil
}

// collectPatience is how long a collection is waited for. A snapshotter that hangs,
// also for somebody else, holds it up, and goes on with it later.
const collectPatience = 5 * time.Second

// unlease deletes a lease; what it alone held goes at the next collection, or
// before unlease returns where now says so, unless that takes long. One that was never
// made is no error.
func unlease(ctx context.Context, sess *session, lease leases.Lease, now bool) error {
	if lease.ID == "" {
		return nil
	}
	if now {
		soon, cancel := context.WithTimeout(ctx, collectPatience)
		defer cancel()
		err := sess.client.LeasesService().Delete(soon, lease, leases.SynchronousDelete)
		if err == nil || !ended(soon, err) {
			return ofLease(lease, err)
		}
		// The lease is deleted before the collection begins: this asks whether it is.
	}
	return ofLease(lease, sess.client.LeasesService().Delete(ctx, lease))
}

// ofLease gives the error of deleting a lease.
func ofLease(lease leases.Lease, err error) error {
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("deleting lease %q: %w", lease.ID, err)
	}
	return nil
}
