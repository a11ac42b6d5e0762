package export

import (
	"context"
	"errors"
	"io/fs"
)

// maxAgain is how often a name is looked up again that moves each time. It
// takes microseconds: who replaces a file that often does little else.
const maxAgain = 10

// putAgain puts what stands now at the name of an item that has moved since
// the walk: as a program that writes a new file and renames it over the old one
// would have it. Where nothing stands there, the name is left out, but for a
// directory's: what it held may have been written already.
func (w *writer) putAgain(ctx context.Context, it *item, moved *movedError) error {
	old := *it.record.Entry
	w.breakLinks(it)
	var err error
	for range maxAgain {
		var e *Entry
		err = w.reads.do(func() (err error) {
			e, err = w.tree.Lookup(ctx, old.Path)
			return err
		})
		if errors.Is(err, fs.ErrNotExist) || err == nil && old.Type == Directory && e.Type != Directory {
			return w.putGone(ctx, it, &old, moved)
		}
		if err == nil {
			err = w.putFresh(ctx, it, e)
		}
		if asMoved(err) == nil {
			return err
		}
	}
	return err
}

// putGone leaves out what has vanished.
func (w *writer) putGone(ctx context.Context, it *item, old *Entry, moved *movedError) error {
	if old.Type != Directory {
		moved.gone(Vanished)
		return nil
	}
	moved.gone(Emptied)
	it.record = Record{Entry: old}
	return w.put(ctx, it)
}

// putFresh puts e in an item's place, as an object of one name: its other
// names, if it has any, were not seen as such by the walk.
func (w *writer) putFresh(ctx context.Context, it *item, e *Entry) error {
	if e.Type == Socket {
		w.report.countSocket(e.Path)
		return nil
	}
	alone := *e
	alone.Link = LinkKey{}
	it.record, it.ahead = Record{Entry: &alone}, false
	if err := w.read(ctx, it); err != nil {
		return err
	}
	return w.put(ctx, it)
}

// breakLinks keeps the later names of an inode from becoming links to a name
// that does not stand for it any more.
func (w *writer) breakLinks(it *item) {
	if it.record.Link == (LinkKey{}) || it.record.LinkTo != "" {
		return
	}
	if w.moved == nil {
		w.moved = make(map[string]string)
	}
	w.moved[it.record.Path] = ""
}

// relink settles a later name of a hard link again whose first name has moved:
// the first of the rest carries the body.
func (w *writer) relink(it *item) {
	for to := it.record.LinkTo; to != ""; to = it.record.LinkTo {
		first, has := w.moved[to]
		if !has {
			return
		}
		if first == "" {
			w.moved[to] = it.record.Path
		}
		it.record.LinkTo = first
	}
}
