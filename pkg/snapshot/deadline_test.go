package snapshot

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestEnded has calls say that a deadline is over before its context does.
func TestEnded(t *testing.T) {
	late := fmt.Errorf("asking: %w", status.Error(codes.DeadlineExceeded, "context deadline exceeded"))
	for _, c := range []struct {
		after time.Duration // the deadline's; 0 for none
		err   error
		want  bool
	}{
		{50 * time.Millisecond, late, true},
		{50 * time.Millisecond, fmt.Errorf("dialling: %w", context.DeadlineExceeded), true},
		{50 * time.Millisecond, errors.New("refused"), false},
		{time.Hour, late, false},
		{0, late, false},
	} {
		ctx, cause := t.Context(), errors.New("--timeout")
		if c.after > 0 {
			limited, cancel := context.WithTimeoutCause(ctx, c.after, cause)
			defer cancel()
			ctx = limited
		}
		if got := ended(ctx, c.err); got != c.want || got && context.Cause(ctx) != cause {
			t.Errorf("%v before a deadline in %v: ended is %v, its cause %v", c.err, c.after, got, context.Cause(ctx))
		}
	}
}
