package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
)

// Labels of leases, with a container's id, by which runs agree that hold its task
// still at the same time. A run has a lease with labelPaused before it looks
// whether the task is paused. At its end it makes one with labelResuming before it
// looks whether another run, that is not dead and has none of these, has the former:
// if not, it resumes the task. So of runs that end at the same time one does at
// least, and one that begins meanwhile is seen, or sees what to wait for. The lease
// with labelPaused goes after that, and that with labelResuming last: where a run
// is killed in between, Collect ends it.
const (
	labelPaused   = "ctr-rootfs.io/paused"
	labelResuming = "ctr-rootfs.io/resuming"
)

// resumingPoll is how often a run looks whether another one has ended.
const resumingPoll = 20 * time.Millisecond

// oursToPause says whether a run is to hold a container's task still, and to let it
// go on: if it runs, or is paused for other runs. What somebody else paused is not.
func oursToPause(ctx context.Context, sess *session, id string) (bool, error) {
	for {
		before, err := taskStatus(ctx, sess, id)
		if err != nil || before == tasktypes.Status_RUNNING {
			return err == nil, err
		}
		if !isPaused(before) {
			return false, nil
		}
		found, err := leasesWith(ctx, sess, id, labelPaused)
		if err != nil || len(found) > 0 {
			return err == nil, err
		}
		// Those that had paused it may have resumed it meanwhile, and others have
		// paused it again.
		after, err := taskStatus(ctx, sess, id)
		if err != nil {
			return false, err
		}
		if isPaused(after) {
			found, err := leasesWith(ctx, sess, id, labelPaused)
			return len(found) > 0, err
		}
	}
}

// holdStill pauses the task of a container: the run's lease says so by now.
func (v *View) holdStill(ctx context.Context, sess *session, id string) error {
	for {
		found, err := leasesWith(ctx, sess, id, labelResuming)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(found, mayResume) {
			return v.made.whole(ctx, func(ctx context.Context) error { return pause(ctx, sess, id) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(resumingPoll):
		}
	}
}

// mayResume says of a lease with labelResuming whether its run may not have seen
// yet who came later: letGo takes no longer than that.
func mayResume(lease leases.Lease) bool {
	return stateOf(lease.Labels, time.Now()) != dead && time.Since(lease.CreatedAt) < undoTimeout
}

// resumingLease describes the lease by which this process says that a run does not
// want a container's task paused any more.
func resumingLease(run, id string) leases.Lease {
	lease := leaseOf(run, map[string]string{labelResuming: id})
	lease.ID = fmt.Sprintf("%s-resuming-%d", run, os.Getpid())
	return lease
}

// letGo makes that lease, and resumes the task unless other runs want it paused,
// also where the store's disk is full, so that no lease can be made.
func letGo(ctx context.Context, sess *session, lease leases.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, undoTimeout) // see mayResume
	defer cancel()
	made := createLease(ctx, sess, lease, openingLife)
	if errdefs.IsAlreadyExists(made) {
		made = nil
	}
	wanted, err := wantedPaused(ctx, sess, lease)
	if err == nil && !wanted {
		err = resume(ctx, sess, lease.Labels[labelResuming])
	}
	return errors.Join(made, err)
}

// forget deletes the leases by which a run held a task still, also one that a
// hand-over has left, and then the one that says that it does not any more.
func forget(ctx context.Context, sess *session, resuming leases.Lease, now bool) error {
	found, err := leasesWith(ctx, sess, resuming.Labels[labelResuming], labelPaused)
	if err != nil {
		return err
	}
	for _, lease := range found {
		if lease.Labels[LabelRun] != resuming.Labels[LabelRun] {
			continue
		}
		if err := unlease(ctx, sess, lease, now); err != nil {
			return err
		}
	}
	return unlease(ctx, sess, resuming, false)
}

// wantedPaused says whether another run than the one that is resuming, one that
// goes on, wants its container's task paused. One in another pid namespace may go on.
func wantedPaused(ctx context.Context, sess *session, resuming leases.Lease) (bool, error) {
	found, err := leasesWith(ctx, sess, resuming.Labels[labelResuming], labelPaused, labelResuming)
	if err != nil {
		return false, err
	}
	ending := map[string]bool{resuming.Labels[LabelRun]: true}
	for _, lease := range found {
		if lease.Labels[labelResuming] != "" {
			ending[lease.Labels[LabelRun]] = true
		}
	}
	return slices.ContainsFunc(found, func(lease leases.Lease) bool {
		return !ending[lease.Labels[LabelRun]] && stateOf(lease.Labels, time.Now()) != dead
	}), nil
}

// leasesWith lists the leases that have a container's id as one of labels, as they
// are at one moment.
func leasesWith(ctx context.Context, sess *session, id string, labels ...string) ([]leases.Lease, error) {
	var filters []string
	for _, label := range labels {
		filters = append(filters, fmt.Sprintf("labels.%q==%q", label, id))
	}
	found, err := sess.client.LeasesService().List(ctx, filters...)
	if err != nil {
		return nil, fmt.Errorf("listing leases: %w", err)
	}
	return found, nil
}
