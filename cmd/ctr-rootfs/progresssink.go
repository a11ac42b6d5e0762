package main

import (
	"context"
	"io"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// watchedBody is the size from which a body is watched while it is copied;
// smaller ones count when they are done.
const watchedBody = 8 << 20

// progressSink tells how many bytes of bodies went into a sink.
type progressSink struct {
	export.Sink
	tell  func(snapshot.Step)
	total int64
	done  int64
}

// watched puts a progressSink around sink where somebody looks. The total is
// about right: it has what later layers replace, too.
func (f *outputFlags) watched(sink export.Sink, o *opened) export.Sink {
	if !f.progress.wanted() {
		return sink
	}
	total := o.view.Size
	if o.base.layers != nil {
		total = o.base.layers.Report().Inflated
	}
	return &progressSink{Sink: sink, tell: f.progress.step, total: total}
}

func (p *progressSink) Put(ctx context.Context, r *export.Record) error {
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

func (p *progressSink) step() {
	p.tell(snapshot.Step{Stage: "exporting", Unit: "bytes", Done: p.done, Total: p.total})
}

// watchedReader counts a large body on its way.
type watchedReader struct {
	sink *progressSink
	body io.Reader
}

func (w *watchedReader) Read(b []byte) (int, error) {
	n, err := w.body.Read(b)
	w.sink.done += int64(n)
	w.sink.step()
	return n, err
}
