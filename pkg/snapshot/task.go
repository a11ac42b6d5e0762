package snapshot

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// taskStatus gives what a container's task does; UNKNOWN where it has none.
func taskStatus(ctx context.Context, sess *session, id string) (tasktypes.Status, error) {
	process, err := taskProcess(ctx, sess, id)
	return process.GetStatus(), err
}

// taskProcess describes the process of a container's task; nil where it has none.
func taskProcess(ctx context.Context, sess *session, id string) (*tasktypes.Process, error) {
	resp, err := sess.client.TaskService().Get(ctx, &tasks.GetRequest{ContainerID: id})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the task of container %q: %w", id, err)
	}
	return resp.Process, nil
}

// hasRoot says whether a task of that status has its root mounted.
func hasRoot(s tasktypes.Status) bool {
	switch s {
	case tasktypes.Status_CREATED, tasktypes.Status_RUNNING, tasktypes.Status_PAUSED, tasktypes.Status_PAUSING:
		return true
	}
	return false
}

// stopsSoon says whether a task, whose process seems to have ended, stops: the shim
// notices that a moment later.
func stopsSoon(ctx context.Context, sess *session, id string) (bool, error) {
	const asks, between = 10, 50 * time.Millisecond
	for range asks {
		now, err := taskStatus(ctx, sess, id)
		if err != nil || !hasRoot(now) {
			return err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(between):
		}
	}
	return false, nil
}

func isPaused(s tasktypes.Status) bool {
	return s == tasktypes.Status_PAUSED || s == tasktypes.Status_PAUSING
}

// pause holds a container's task still, if nobody else has; resume must follow,
// also after an error. Whoever cancels it half way may find the task stopped after
// it was resumed.
func pause(ctx context.Context, sess *session, id string) error {
	_, err := sess.client.TaskService().Pause(ctx, &tasks.PauseTaskRequest{ContainerID: id})
	if err != nil && !hasStatus(ctx, sess, id, tasktypes.Status_PAUSED) {
		return fmt.Errorf("pausing container %q: %w", id, err)
	}
	return nil
}

// hasStatus says of a task that refused a call whether another run was first.
func hasStatus(ctx context.Context, sess *session, id string, want tasktypes.Status) bool {
	now, err := taskStatus(ctx, sess, id)
	return err == nil && now == want
}

// resume lets a task go on that was paused, if it is there still and nobody
// else has.
func resume(ctx context.Context, sess *session, id string) error {
	now, err := taskStatus(ctx, sess, id)
	if err != nil || !isPaused(now) {
		return err
	}
	_, err = sess.client.TaskService().Resume(ctx, &tasks.ResumeTaskRequest{ContainerID: id})
	if err != nil && !hasStatus(ctx, sess, id, tasktypes.Status_RUNNING) {
		return fmt.Errorf("resuming container %q: %w", id, err)
	}
	return nil
}
