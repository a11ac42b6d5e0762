package export

import (
	"bytes"
	"context"
	"io"
)

// The read-ahead's budget: at most batchCount batches are between the walker
// and the sink, each with at most batchItems entries, batchBytes of bodies and
// about as much of extended attributes.
// A file over smallFile is opened when its turn comes, so that few descriptors
// are open and one body needs one buffer.
const (
	readAheadWorkers = 2
	batchCount       = 8
	batchItems       = 64
	batchBytes       = 1 << 20
	smallFile        = batchBytes / 4
)

// item is one record on its way to the sink.
type item struct {
	record Record
	ahead  bool   // the body is read before its turn, into body
	late   bool   // the worker left everything to the sink's side
	body   []byte // a part of the batch's bytes
	reader bytes.Reader
	err    error
}

func (it *item) hasBody() bool {
	return it.record.LinkTo == "" && it.record.Open != nil && it.record.Size > 0
}

// batch is some items in a row; moving them together makes the cost of the
// channels small.
type batch struct {
	items []item
	bytes []byte
	used  int
	ready chan struct{} // one message when a worker is done
}

// add takes e, or says no when the batch has no room for it.
func (b *batch) add(e *Entry, linkTo string) bool {
	if len(b.items) == batchItems {
		return false
	}
	it := item{record: Record{Entry: e, LinkTo: linkTo}}
	if it.hasBody() && e.Size <= smallFile {
		room := int(e.Size) + 1 // see fillBody
		if b.used+room > batchBytes {
			return false
		}
		it.ahead = true
		it.body = b.bytes[b.used : b.used+room]
		b.used += room
	}
	b.items = append(b.items, it)
	return true
}

// readAhead is the queue between the walker, the workers and the sink.
type readAhead struct {
	free    chan *batch
	unread  chan *batch // to the workers
	ordered chan *batch // to the sink: the same batches in the walker's order
}

func newReadAhead() *readAhead {
	q := &readAhead{
		free:    make(chan *batch, batchCount),
		unread:  make(chan *batch, batchCount),
		ordered: make(chan *batch, batchCount),
	}
	for range batchCount {
		q.free <- &batch{ready: make(chan struct{}, 1)}
	}
	return q
}

// recycle gives a batch back to the walker; what it points to can be freed.
func (q *readAhead) recycle(b *batch) {
	clear(b.items)
	b.items, b.used = b.items[:0], 0
	q.free <- b
}

// next waits for a free batch. Its memory is made when it is first used: a tree
// of ten files needs one.
func (q *readAhead) next(ctx context.Context) (*batch, error) {
	select {
	case b := <-q.free:
		if b.bytes == nil {
			b.bytes = make([]byte, batchBytes)
			b.items = make([]item, 0, batchItems)
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send passes a batch on. The channels have room for all batches there are.
func (q *readAhead) send(b *batch) {
	q.unread <- b
	q.ordered <- b
}

// finish tells both ends that no more batches come.
func (q *readAhead) finish() {
	close(q.unread)
	close(q.ordered)
}

// walk fills batches with what t shows. What came before an error is sent, too,
// so that the sink's part is the same whatever the batches' edges.
func (q *readAhead) walk(ctx context.Context, t Tree) error {
	links := make(linkTable)
	b, err := q.next(ctx)
	if err != nil {
		return err
	}
	err = t.Walk(ctx, func(e *Entry) error {
		linkTo := ""
		if e.Type != Socket {
			linkTo = links.settle(e)
		}
		for !b.add(e, linkTo) {
			q.send(b)
			var err error
			if b, err = q.next(ctx); err != nil {
				b = nil
				return err
			}
		}
		return nil
	})
	if b != nil {
		q.send(b)
	}
	return err
}

// drain gives each batch to put, in the walker's order, once it is read.
func (q *readAhead) drain(p *patience, put func(*batch) error) error {
	for {
		b, open, err := receive(p, q.ordered)
		if err == nil && !open {
			return nil
		}
		if err == nil {
			_, _, err = receive(p, b.ready)
		}
		if err == nil {
			err = put(b)
		}
		if err != nil {
			return err
		}
		q.recycle(b)
	}
}

// work reads what the batches name until there are no more. After ctx has ended
// the batches are only passed on, since the sink's side waits for each.
func (q *readAhead) work(ctx context.Context) {
	for b := range q.unread {
		attrs := 0
		for i := range b.items {
			it := &b.items[i]
			if it.record.Type == Socket || ctx.Err() != nil {
				continue
			}
			if it.late = attrs > batchBytes; it.late {
				continue
			}
			it.err = it.read(ctx)
			for _, x := range it.record.Attrs {
				attrs += len(x.Value)
			}
		}
		b.ready <- struct{}{}
	}
}

// read fills in the attributes and a small body. A later name of a hard link
// has its attributes read as well, for the sinks that need them (see tar.go).
func (it *item) read(ctx context.Context) error {
	if !it.ahead {
		return it.readXattrs(ctx)
	}
	e := it.record.Entry
	body, err := e.Open(ctx)
	if err != nil {
		return err
	}
	err = it.readXattrs(ctx) // of an open file they cost less
	if err == nil {
		err = fillBody(e, body, it.body)
	}
	if err != nil {
		_ = body.Close() // nothing was written, and err says more
		return err
	}
	return body.Close()
}

func (it *item) readXattrs(ctx context.Context) (err error) {
	if read := it.record.Xattrs; read != nil {
		it.record.Attrs, err = read(ctx)
	}
	return err
}

// fillBody reads a small body whole. buf has room for one byte more: a body that
// has it is too long.
func fillBody(e *Entry, body io.Reader, buf []byte) error {
	n, err := io.ReadFull(body, buf)
	switch {
	case err == nil:
		return sizeChanged(e, "longer")
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case int64(n) < e.Size:
		return sizeChanged(e, "shorter")
	}
	return nil
}
