package progress

import (
	"context"
	"io"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// watchedBody is the size from which a body is watched while it is copied;
// smaller ones count when they are done.
const watchedBody = 8 << 20

// sink tells how many bytes of bodies went into another.
type sink struct {
	export.Sink
	tell  func(snapshot.Step)
	total int64
	done  int64
}

// Sink gives next, and tells of each entry that is put into it. total is about
// how many bytes there will be, 0 where nobody knows.
func (p *Reporter) Sink(next export.Sink, total int64) export.Sink {
	if !p.Wanted() {
		return next
	}
	return &sink{Sink: next, tell: p.Step, total: total}
}

func (p *sink) Put(ctx context.Context, r *export.Record) error {
	before := p.done
	if r.Body != nil && r.Size >= watchedBody {
		watched := *r
		watched.Body = &watchedReader{sink: p, body: r.Body}
		r = &watched
	}
	if err := p.Sink.Put(ctx, r); err != nil {
		return err
	}
	if r.Body != nil {
		p.done = before + r.Size
	}
	p.step()
	return nil
}

func (p *sink) step() {
	p.tell(snapshot.Step{Stage: "exporting", Unit: "bytes", Done: p.done, Total: p.total})
}

// watchedReader counts a large body on its way.
type watchedReader struct {
	sink *sink
	body io.Reader
}

func (w *watchedReader) Read(b []byte) (int, error) {
	n, err := w.body.Read(b)
	w.sink.done += int64(n)
	w.sink.step()
	return n, err
}
