package files

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// readerGrace is how long a reader that stalls is given, once the work is to
// stop, to take what makes the archive unusable to it. A tar that is cut off
// at an entry's edge would pass for a whole one.
const readerGrace = time.Second

// inPlace writes to what has its name already: standard output, a device or a
// FIFO. A reader may stall for ever, and the write with it; stop ends that.
type inPlace struct {
	file   *os.File
	name   string
	opened bool
	// stop is closed when the work is to end, and why says for what reason.
	stop <-chan struct{}
	why  func() error
	// grace is how long a write may take after that.
	grace time.Duration
	// stuck says that a write was given up while it went on.
	stuck bool
}

func newInPlace(ctx context.Context, file *os.File, name string, opened bool) *inPlace {
	enlargePipe(file)
	return &inPlace{
		file: file, name: name, opened: opened, grace: readerGrace,
		stop: ctx.Done(), why: func() error { return context.Cause(ctx) },
	}
}

func (o *inPlace) Write(p []byte) (int, error) {
	if o.stuck {
		return 0, fmt.Errorf("writing %s: %w", o.name, o.why())
	}
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	go func() {
		n, err := o.file.Write(p)
		written <- result{n, err}
	}()
	select {
	case r := <-written:
		return r.n, o.explain(r.err)
	case <-o.stop:
	}
	select {
	case r := <-written:
		return r.n, o.explain(r.err)
	case <-time.After(o.grace):
		o.stuck = true
		return 0, fmt.Errorf("writing %s: %w", o.name, o.why())
	}
}

func (o *inPlace) explain(err error) error {
	if err != nil {
		return fmt.Errorf("writing %s: %w", o.name, hostfile.WithoutPath(err))
	}
	return nil
}

func (o *inPlace) Finish() error {
	// Closing waits for a write that is under way.
	if !o.opened || o.stuck {
		return nil
	}
	if err := o.file.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", o.name, hostfile.WithoutPath(err))
	}
	return nil
}

func (o *inPlace) Discard() error { return o.Finish() }

// openInPlace opens a device or FIFO.
func openInPlace(ctx context.Context, name string) (Output, error) {
	file, err := hostfile.Open(ctx, name, os.O_WRONLY)
	if err != nil {
		return nil, fmt.Errorf("opening %q for writing: %w", name, hostfile.WithoutPath(err))
	}
	return newInPlace(ctx, file, fmt.Sprintf("%q", name), true), nil
}
