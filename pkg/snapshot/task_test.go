package snapshot

import (
	"context"
	"path"
	"testing"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/services/version/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestStopsSoon waits for a task whose end the daemon learns a moment later, and not
// for one that runs.
func TestStopsSoon(t *testing.T) {
	for name, test := range map[string]struct {
		statuses []tasktypes.Status // one an answer, the last one for ever
		want     bool
	}{
		"stopped":            {[]tasktypes.Status{tasktypes.Status_STOPPED}, true},
		"stopping":           {[]tasktypes.Status{tasktypes.Status_RUNNING, tasktypes.Status_RUNNING, tasktypes.Status_STOPPED}, true},
		"removed meanwhile":  {[]tasktypes.Status{tasktypes.Status_RUNNING, tasktypes.Status_UNKNOWN}, true},
		"running":            {[]tasktypes.Status{tasktypes.Status_RUNNING}, false},
		"created, and stays": {[]tasktypes.Status{tasktypes.Status_CREATED}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := test.statuses
			s, _ := startServing(t, func(_ any, stream grpc.ServerStream) error {
				method, _ := grpc.MethodFromServerStream(stream)
				switch {
				case path.Base(method) == "Version":
					return stream.SendMsg(&version.VersionResponse{})
				case left[0] == tasktypes.Status_UNKNOWN:
					return status.Error(codes.NotFound, "no task")
				}
				process := &tasktypes.Process{Status: left[0]}
				if len(left) > 1 {
					left = left[1:]
				}
				return stream.SendMsg(&tasks.GetResponse{Process: process})
			})
			err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
				got, err := stopsSoon(ctx, sess, "web")
				if got != test.want {
					t.Errorf("it stops: %v, want %v", got, test.want)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
