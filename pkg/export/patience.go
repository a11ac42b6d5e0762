package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// readGrace is how long reads are waited for once ctx has ended. Those of a file
// system that does not answer (NFS, FUSE) may never return, and no signal ends them.
const readGrace = 3 * time.Second

// StalledError says that a read did not return for a while after ctx had ended for
// Err, its cause. Whatever reads goes on to use the tree once it returns, so that
// the tree must not be closed any more.
type StalledError struct{ Err error }

func (e *StalledError) Error() string {
	return fmt.Sprintf("%v: a read does not return", e.Err)
}

func (e *StalledError) Unwrap() error { return e.Err }

// patience bounds how long reads are waited for. It belongs to one goroutine; nil
// waits for ever.
type patience struct {
	ctx context.Context
	// grace is what is left to wait for, once ctx has ended; nil before that.
	grace <-chan time.Time
	// lost says that a read was given up: nothing is to be read any more.
	lost bool
}

func newPatience(ctx context.Context) *patience { return &patience{ctx: ctx} }

// receive gives what comes from a channel, and whether it is open. Where nothing
// comes in time, the error is a StalledError.
func receive[T any](p *patience, from <-chan T) (value T, open bool, err error) {
	if p.grace == nil {
		select {
		case value, open = <-from:
			return value, open, nil
		case <-p.ctx.Done():
			p.grace = time.After(readGrace)
		}
	}
	if !p.lost {
		select {
		case value, open = <-from:
			return value, open, nil
		case <-p.grace:
			p.lost = true
		}
	}
	return value, false, &StalledError{context.Cause(p.ctx)}
}

// do runs fn, which only reads, and gives its error. What fn writes to must not be
// used after a StalledError.
func (p *patience) do(fn func() error) error {
	if p == nil {
		return fn()
	}
	done := make(chan error, 1)
	go func() { done <- fn() }()
	err, _, stalled := receive(p, done)
	if stalled != nil {
		return stalled
	}
	return err
}

// patientBody is a body whose reads and closing can be given up.
type patientBody struct {
	io.ReadCloser
	*patience
}

// Read may leave a read behind, which writes to p later.
func (b patientBody) Read(p []byte) (int, error) {
	read := 0
	err := b.do(func() (err error) {
		read, err = b.ReadCloser.Read(p)
		return err
	})
	if stalled := (*StalledError)(nil); errors.As(err, &stalled) {
		return 0, err
	}
	return read, err
}

func (b patientBody) Close() error { return b.do(b.ReadCloser.Close) }
