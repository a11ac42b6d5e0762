package export

import (
	"context"
	"sync"
)

// List visits the records that Write would put, in its order and with hard
// links settled and extended attributes read, but opens no body. Sockets are
// counted, not visited. An error of visit ends the walk and is returned, and so
// is ctx's cause. Where a read does not return after ctx has ended, it is a
// StalledError, without a report, after a few seconds; visit is not called any more.
func List(ctx context.Context, t Tree, visit func(*Record) error) (Report, error) {
	type result struct {
		report Report
		err    error
	}
	var once gate
	listed := make(chan result, 1)
	go func() {
		report, err := list(ctx, t, func(r *Record) error {
			return once.pass(func() error { return visit(r) })
		})
		listed <- result{report, err}
	}()
	r, _, stalled := receive(newPatience(ctx), listed)
	if stalled != nil {
		once.shut()
		return Report{}, stalled
	}
	return r.report, r.err
}

// gate lets calls pass, one at a time, until it is shut.
type gate struct {
	mu     sync.Mutex
	closed bool
}

func (g *gate) pass(fn func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return context.Canceled
	}
	return fn()
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func list(ctx context.Context, t Tree, visit func(*Record) error) (Report, error) {
	var report Report
	out := &writer{tree: t, report: &report, emit: func(_ context.Context, it *item) error {
		return visit(&it.record)
	}}
	links := make(linkTable)
	err := t.Walk(ctx, func(e *Entry) error {
		it := item{record: Record{Entry: e}, late: true}
		if e.Type != Socket {
			it.record.LinkTo = links.settle(e)
		}
		return out.settle(ctx, &it)
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return report, err
}
