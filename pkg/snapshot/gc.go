package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
)

// Collected says what Collect did with the leases of this tool's runs.
type Collected struct {
	// Removed are the keys of runs that had died.
	Removed []string
	// Living are those of runs that go on, and Unknown those of runs in other
	// pid namespaces, of which nobody here can tell: these go when their
	// leases expire, but for those that hold a task still, which go with the
	// next Collect after that.
	Living, Unknown []string
}

// Collect removes what crashed runs of this tool left in the store: mounts,
// views and leases, and lets the tasks go on that they held still, and that no
// living run does. What a living run holds stays, as does everything without this
// tool's label. In an embedded store the garbage goes, too.
func (s *Store) Collect(ctx context.Context) (Collected, error) {
	var c Collected
	err := s.with(ctx, func(ctx context.Context, sess *session) error {
		found, err := sess.client.LeasesService().List(ctx, fmt.Sprintf("labels.%q", LabelRun))
		if err != nil {
			return fmt.Errorf("listing leases: %w", err)
		}
		var errs []error
		for _, lease := range found {
			run := lease.Labels[LabelRun]
			switch stateOf(lease.Labels, time.Now()) {
			case living:
				c.Living = withRun(c.Living, run)
			case unknown:
				c.Unknown = withRun(c.Unknown, run)
			case dead:
				if err := reap(ctx, sess, lease); err != nil {
					errs = append(errs, err)
					continue
				}
				c.Removed = withRun(c.Removed, run)
			}
		}
		if sess.collect != nil {
			errs = append(errs, sess.collect(ctx))
		}
		return errors.Join(errs...)
	})
	return c, err
}

// withRun adds a run once: while it hands its lease over, it has two.
func withRun(runs []string, run string) []string {
	if slices.Contains(runs, run) {
		return runs
	}
	return append(runs, run)
}

// reap undoes what a dead run left, as it would have.
func reap(ctx context.Context, sess *session, lease leases.Lease) error {
	run := lease.Labels[LabelRun]
	left := remains{run: run, lease: lease, paused: lease.Labels[labelPaused], mounted: true}
	resources, err := sess.client.LeasesService().ListResources(ctx, lease)
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("listing what lease %q holds: %w", lease.ID, err)
	}
	for _, r := range resources {
		// Content and layers are cache; the collector judges them.
		if snapshotter, ok := strings.CutPrefix(r.Type, "snapshots/"); ok && r.ID == run {
			left.snapshotters = append(left.snapshotters, snapshotter)
		}
	}
	return left.remove(ctx, sess, true)
}

// RemoveImages removes every image of an embedded store, with what only they
// hold, and gives their names. A daemon's images are not this tool's.
func (s *Store) RemoveImages(ctx context.Context) ([]string, error) {
	if s.opts.Location.Dir == "" {
		return nil, errors.New("removing images: those of a daemon are not ctr-rootfs's")
	}
	var names []string
	err := s.with(ctx, func(ctx context.Context, sess *session) error {
		found, err := sess.client.ImageService().List(ctx)
		if err != nil {
			return fmt.Errorf("listing images: %w", err)
		}
		for _, image := range found {
			if err := sess.client.ImageService().Delete(ctx, image.Name, images.SynchronousDelete()); err != nil {
				return fmt.Errorf("removing image %q: %w", image.Name, err)
			}
			names = append(names, image.Name)
		}
		return sess.collect(ctx)
	})
	return names, err
}
