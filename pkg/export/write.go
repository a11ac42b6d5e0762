package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Report counts what Write gave to the sink, and what it did not.
type Report struct {
	// The records by type; a later name of a hard link counts as HardLinks only.
	RegularFiles int64 `json:"regularFiles"`
	Directories  int64 `json:"directories"`
	Symlinks     int64 `json:"symlinks"`
	HardLinks    int64 `json:"hardLinks"`
	CharDevices  int64 `json:"charDevices"`
	BlockDevices int64 `json:"blockDevices"`
	FIFOs        int64 `json:"fifos"`
	// Bytes is the length of all bodies.
	Bytes int64 `json:"bytes"`
	// Sockets names the first maxNamedSockets of the SocketCount sockets that
	// were left out: no archive holds them.
	Sockets     []string `json:"-"` // JSON could not hold every name
	SocketCount int64    `json:"socketCount"`
}

const maxNamedSockets = 100

// Entries is the number of records that were put.
func (r *Report) Entries() int64 {
	return r.RegularFiles + r.Directories + r.Symlinks + r.HardLinks + r.CharDevices + r.BlockDevices + r.FIFOs
}

func (r *Report) count(rec *Record) {
	if rec.LinkTo != "" {
		r.HardLinks++
		return
	}
	switch rec.Type {
	case Regular:
		r.RegularFiles++
		r.Bytes += rec.Size
	case Directory:
		r.Directories++
	case Symlink:
		r.Symlinks++
	case CharDevice:
		r.CharDevices++
	case BlockDevice:
		r.BlockDevices++
	case FIFO:
		r.FIFOs++
	}
}

func (r *Report) countSocket(path string) {
	r.SocketCount++
	if len(r.Sockets) < maxNamedSockets {
		r.Sockets = append(r.Sockets, path)
	}
}

// Write walks t and puts each entry into sink, in order, hard links settled and
// extended attributes read. It closes sink, or aborts it after any error, also
// one of closing; t stays open. Sockets are left out and counted. When ctx ends,
// Write stops between two reads of a body and returns the context's cause; where a
// read does not return it is a StalledError after a few seconds, and a body that was
// given to sink may be read from, into sink's buffer, after that. It cannot
// interrupt a sink that blocks. The report is right up to the error.
func Write(ctx context.Context, t Tree, sink Sink) (Report, error) {
	var report Report
	err := putAll(ctx, t, sink, &report)
	if err == nil {
		err = sink.Close()
	}
	if err == nil {
		return report, nil
	}
	if abortErr := sink.Abort(); abortErr != nil {
		err = fmt.Errorf("%w (and undoing it: %w)", err, abortErr)
	}
	return report, err
}

// putAll joins the three stages: one walker fills batches, workers read what
// the batches name, and this goroutine puts them, in the walker's order.
func putAll(parent context.Context, t Tree, sink Sink, report *Report) (err error) {
	ctx, cancel := context.WithCancel(parent)
	q, p := newReadAhead(), newPatience(parent)
	var wg sync.WaitGroup
	// Nothing but a read that hangs outlives this call: whoever closes t next closes
	// what they read.
	defer func() {
		cancel()
		stalled := p.do(func() error {
			wg.Wait()
			return nil
		})
		if stalled != nil {
			err = stalled
		}
	}()

	var walkErr error
	wg.Go(func() {
		defer q.finish()
		walkErr = q.walk(ctx, t)
	})
	for range readAheadWorkers {
		wg.Go(func() { q.work(ctx) })
	}
	out := &writer{tree: t, report: report, reads: p, emit: func(ctx context.Context, it *item) error {
		return putItem(ctx, sink, it, p)
	}}
	err = q.drain(p, func(b *batch) error { return out.putBatch(ctx, b) })
	if parent.Err() != nil && !p.lost {
		return context.Cause(parent)
	}
	if err != nil {
		return err
	}
	return walkErr // the walker wrote it before it closed q.ordered
}

// writer is the stage that puts records, in order.
type writer struct {
	tree   Tree
	report *Report
	// reads bounds how long reads are waited for; nil waits for ever.
	reads *patience
	// emit gives a record that is settled and read to whoever wants it.
	emit func(context.Context, *item) error
	// moved are the first names of hard links that stand for something else
	// in the output, or for nothing, each with the name that took its place.
	moved map[string]string
}

func (w *writer) putBatch(ctx context.Context, b *batch) error {
	for i := range b.items {
		if err := w.settle(ctx, &b.items[i]); err != nil {
			return err
		}
	}
	return nil
}

// settle emits one item, or what stands at its name by now.
func (w *writer) settle(ctx context.Context, it *item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if it.record.Type == Socket {
		w.report.countSocket(it.record.Path)
		return nil
	}
	if it.late {
		it.err = w.read(ctx, it)
	}
	if len(w.moved) > 0 {
		w.relink(it)
	}
	err := it.err
	if err == nil {
		err = w.put(ctx, it)
	}
	if moved := asMoved(err); moved != nil {
		err = w.putAgain(ctx, it, moved)
	}
	return err
}

func (w *writer) read(ctx context.Context, it *item) error {
	return w.reads.do(func() error { return it.read(ctx) })
}

// put emits and counts. A movedError comes before anything is written.
func (w *writer) put(ctx context.Context, it *item) error {
	if err := w.emit(ctx, it); err != nil {
		return err
	}
	w.report.count(&it.record)
	return nil
}

// putItem opens the body of a file that was too large to be read ahead.
func putItem(ctx context.Context, sink Sink, it *item, p *patience) error {
	rec := &it.record
	if rec.Type == Regular && rec.LinkTo == "" && rec.Size > 0 && rec.Open == nil {
		return fmt.Errorf("reading %q: it has %d bytes and no body", rec.Path, rec.Size)
	}
	if !it.hasBody() {
		return sink.Put(ctx, rec)
	}
	if it.ahead {
		it.reader.Reset(it.body[:rec.Size])
		rec.Body = &it.reader
		return sink.Put(ctx, rec)
	}
	body := patientBody{patience: p}
	err := p.do(func() (err error) {
		body.ReadCloser, err = rec.Open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	rec.Body = body
	err = sink.Put(ctx, rec)
	if p.lost {
		return err // what reads it uses it still
	}
	return errors.Join(err, body.Close())
}

// bodyBuffer is where a sink wants a body: room is where the next bytes go, took
// says that n of them are there. After lose, a read that was given up may write to
// what room gave last.
type bodyBuffer interface {
	room() ([]byte, error)
	took(n int) error
	lose()
}

// copyBody moves exactly r.Size bytes to dst, and fails when the body has fewer
// or more: on a tree that does not change, neither can be.
func copyBody(ctx context.Context, r *Record, dst bodyBuffer) error {
	for left := r.Size; left > 0; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		buf, err := dst.room()
		if err != nil {
			return err
		}
		n, readErr := r.Body.Read(buf[:min(left, int64(len(buf)))])
		if stalled := (*StalledError)(nil); errors.As(readErr, &stalled) {
			dst.lose()
			return readErr
		}
		if err := dst.took(n); err != nil {
			return err
		}
		left -= int64(n)
		if readErr == io.EOF && left > 0 {
			return sizeChanged(r.Entry, "shorter")
		}
		if readErr != nil && readErr != io.EOF {
			return readErr
		}
	}
	return expectEOF(r.Entry, r.Body)
}

// expectEOF fails where a body goes on after its size.
func expectEOF(e *Entry, body io.Reader) error {
	var probe [1]byte
	for {
		n, err := body.Read(probe[:])
		switch {
		case n > 0:
			return sizeChanged(e, "longer")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func sizeChanged(e *Entry, how string) error {
	return fmt.Errorf("reading %q: it changed while it was read: it is %s than its %d bytes", e.Path, how, e.Size)
}
