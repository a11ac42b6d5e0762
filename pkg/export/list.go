package export

import "context"

// List visits the records that Write would put, in its order and with hard
// links settled and extended attributes read, but opens no body. Sockets are
// counted, not visited. An error of visit ends the walk and is returned, and so
// is ctx's cause.
func List(ctx context.Context, t Tree, visit func(*Record) error) (Report, error) {
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
