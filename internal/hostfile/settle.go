package hostfile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Grace is how long work on files is waited for once it is to end. A read of a
// disk that is well is through by then; one of a file system that does not answer
// (NFS, FUSE) may never be, and no signal ends it.
const Grace = 3 * time.Second

// HungError says that work on files did not return for a while after it was to end
// for Cause. Whoever did it may go on with it at any time: what it uses must
// not be used or closed any more.
type HungError struct {
	Cause error
	// Calls are the system calls that did not return, as far as that is known.
	Calls []Call
}

// Call is a system call on a file.
type Call struct {
	// Doing is a gerund, and Name the file's name, or what it has instead of one, as
	// "pipe:[7]"; empty where it has none any more.
	Doing, Name string
	// FileSystem is the type of the file system that the file lies on, where that has
	// its files from elsewhere, as "nfs4" or "fuse.sshfs"; empty where it is not known.
	FileSystem string
}

func (c Call) String() string {
	text := c.Doing + " a file"
	if c.Name != "" {
		text = fmt.Sprintf("%s %q", c.Doing, c.Name)
	}
	if c.FileSystem != "" {
		text += " on " + c.FileSystem
	}
	return text
}

func (e *HungError) Error() string {
	if len(e.Calls) == 0 {
		return fmt.Sprintf("%v: what was begun does not return", e.Cause)
	}
	var calls strings.Builder
	calls.WriteString(e.Calls[0].String())
	if more := len(e.Calls) - 1; more > 0 {
		fmt.Fprintf(&calls, " (and %d more)", more)
	}
	return fmt.Sprintf("%v: %s does not return", e.Cause, calls.String())
}

func (e *HungError) Unwrap() error { return e.Cause }

// AsHung gives what err reports of work that hangs; nil where it reports none.
func AsHung(err error) *HungError {
	var h *HungError
	errors.As(err, &h)
	return h
}

// Hung describes what hangs in this process now, once ctx has ended.
func Hung(ctx context.Context) *HungError {
	return &HungError{Cause: context.Cause(ctx), Calls: stuckCalls()}
}

// Settle is SettleWithin Grace.
func Settle[T any](ctx context.Context, fn func() (T, error), late func(T, error)) (T, error) {
	return SettleWithin(ctx, Grace, fn, late)
}

// SettleWithin gives what fn gives, which works on files that may hang. Once ctx has
// ended fn is given some time to return; a HungError says that it did not. What it
// gives after that goes to late, unless that is nil.
func SettleWithin[T any](ctx context.Context, grace time.Duration, fn func() (T, error), late func(T, error)) (T, error) {
	return SettleWhile(ctx, grace, func() int64 { return 0 }, fn, late)
}

// SettleWhile is SettleWithin for work of many steps, which steps counts, beside fn:
// each step has that time.
func SettleWhile[T any](ctx context.Context, grace time.Duration, steps func() int64, fn func() (T, error), late func(T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done, left := make(chan result), make(chan struct{})
	go func() {
		value, err := fn()
		select {
		case done <- result{value, err}:
		case <-left:
			if late != nil {
				late(value, err)
			}
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	for before, now := int64(-1), steps(); now != before; before, now = now, steps() {
		select {
		case r := <-done:
			return r.value, r.err
		case <-time.After(grace):
		}
	}
	close(left)
	var none T
	return none, Hung(ctx)
}

// SettleErr is Settle for work that gives an error alone.
func SettleErr(ctx context.Context, fn func() error, late func(error)) error {
	_, err := Settle(ctx, func() (struct{}, error) { return struct{}{}, fn() }, func(_ struct{}, err error) {
		if late != nil {
			late(err)
		}
	})
	return err
}
