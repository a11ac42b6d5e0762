package export

import "context"

// List visits the records that Write would put, in its order and with hard
// links settled and extended attributes read, but opens no body. Sockets are
// counted, not visited. An error of visit ends the walk and is returned.
func List(ctx context.Context, t Tree, visit func(*Record) error) (Report, error) {
	var report Report
	links := make(linkTable)
	err := t.Walk(ctx, func(e *Entry) error {
		if e.Type == Socket {
			report.countSocket(e.Path)
			return nil
		}
		record := Record{Entry: e, LinkTo: links.settle(e)}
		if e.Xattrs != nil {
			attrs, err := e.Xattrs(ctx)
			if moved := asMoved(err); moved != nil {
				moved.gone(Vanished)
				return nil
			}
			if err != nil {
				return err
			}
			record.Attrs = attrs
		}
		report.count(&record)
		return visit(&record)
	})
	return report, err
}
