package snapshot

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// TestOpeningThatHangs ends an opening in which a file hangs: its lease goes. What it
// does later makes nothing, and closes what it has.
func TestOpeningThatHangs(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	root, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("ended by the test")
	answer, later := make(chan struct{}), make(chan error, 1)
	v := &View{Key: "run", store: s, made: new(ledger)}
	err = s.with(ctx, func(ctx context.Context, sess *session) error {
		return v.attempt(ctx, sess, func() error {
			held, err := v.hold(ctx, sess, nil)
			if err != nil {
				return err
			}
			cancel(why)
			<-answer
			v.Root = root
			_, err = v.hold(held, sess, nil)
			later <- err
			return nil
		})
	})
	var hung *hostfile.HungError
	if undo := (*UndoError)(nil); !errors.As(err, &hung) || !errors.Is(err, why) || errors.As(err, &undo) {
		t.Errorf("error %v, want a HungError of %q alone", err, why)
	}
	close(answer)
	if err := <-later; !errors.Is(err, errGivenUp) {
		t.Errorf("a lease is made later: %v", err)
	}
	// Only when the opening has let go of the store can it be opened again.
	if n := leasesOf(t, s); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	for deadline := time.Now().Add(5 * time.Second); root.Fd() != ^uintptr(0); {
		if time.Now().After(deadline) {
			t.Fatal("the root is open still")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestCallIsWholeWhenGivenUp makes whoever undoes wait for a call that is under way, and
// none begin after that.
func TestCallIsWholeWhenGivenUp(t *testing.T) {
	var l ledger
	begun, answer := make(chan struct{}), make(chan struct{})
	called := make(chan error)
	go func() {
		called <- l.whole(t.Context(), func(ctx context.Context) error {
			close(begun)
			<-answer
			return l.note(func(r *remains) { r.lease = leases.Lease{ID: "made"} })
		})
	}()
	<-begun
	shut := make(chan struct{})
	go func() {
		l.shut(false)
		close(shut)
	}()
	close(answer)
	if err := <-called; err != nil {
		t.Errorf("a call that was under way: %v", err)
	}
	<-shut
	if got := l.noted().lease.ID; got != "made" {
		t.Errorf("the lease is %q", got)
	}
	never := func(context.Context) error {
		t.Error("it was called")
		return nil
	}
	if err := l.whole(t.Context(), never); !errors.Is(err, errGivenUp) {
		t.Errorf("a call after that: %v, want %v", err, errGivenUp)
	}
}

// TestErrorsOfSnapshotters name the snapshotter, and no stream of gRPC.
func TestErrorsOfSnapshotters(t *testing.T) {
	away := status.Error(codes.Unavailable, "closing transport due to: connection error: stream terminated by RST_STREAM")
	for _, err := range []error{
		&ViewError{Source: "a:1", Snapshotter: "stargz", Err: away},
		&UnpackError{Image: "a:1", Snapshotter: "stargz", Err: away},
	} {
		text := err.Error()
		if !strings.Contains(text, `"stargz"`) || !strings.Contains(text, "does not answer") || strings.Contains(text, "RST") || strings.Contains(text, "rpc") {
			t.Errorf("%T says %q", err, text)
		}
	}
}

// TestEndedByTheDaemon: a daemon that resets a call's stream as its deadline passes may
// be ahead of this process.
func TestEndedByTheDaemon(t *testing.T) {
	reset := status.Error(codes.Canceled, "stream terminated by RST_STREAM with error code: CANCEL")
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if !ended(soon, reset) {
		t.Error("it is not told as the deadline's")
	}
	far, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if ended(far, reset) {
		t.Error("it is reported as a deadline's that is far")
	}
}

// TestOutliving: what undoes does not end with the caller, and gives up what hangs when
// the caller has ended, and not before.
func TestOutliving(t *testing.T) {
	why := errors.New("ended by the test")
	caller, cancel := context.WithCancelCause(t.Context())
	undo, stop := undoing(outliving(caller))
	defer stop()
	if until := givingUp(undo); until.Err() != nil || until != caller {
		t.Errorf("what hangs is given up by %v, want the caller's context", until)
	}
	if until := givingUp(caller); until != caller {
		t.Errorf("without undoing it is given up by %v", until)
	}
	cancel(why)
	if got := context.Cause(givingUp(undo)); got != why || undo.Err() != nil {
		t.Errorf("what hangs is given up for %v, and undoing ends for %v", got, undo.Err())
	}
}
