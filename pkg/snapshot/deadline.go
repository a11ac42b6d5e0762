package snapshot

import (
	"context"
	"errors"
	"time"

	"github.com/containerd/errdefs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ahead is how much earlier than this process a daemon may see a deadline pass:
// each counts the time of a call by itself.
const ahead = time.Second

// ended reports whether ctx is what a call that failed with err ended with. A
// call that says so a moment too early is waited for, so that ctx has its cause.
func ended(ctx context.Context, err error) bool {
	deadline, limited := ctx.Deadline()
	if limited && (tookTooLong(err) || cancelled(err)) && time.Until(deadline) < ahead {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// cancelled says whether a daemon ended a call: it resets the stream of one whose
// deadline has passed.
func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errdefs.IsCanceled(err) || status.Code(err) == codes.Canceled
}

func tookTooLong(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errdefs.IsDeadlineExceeded(err) || status.Code(err) == codes.DeadlineExceeded
}
