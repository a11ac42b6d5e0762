package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

// Made is a file or directory that this tool adds to a tree. Its owner is 0:0
// and it has no extended attributes.
type Made struct {
	// Path is inside the root; symlinks in its directories are followed.
	Path string
	// For is what it is made for, said in errors; it may be empty.
	For string
	// Type is Regular or Directory.
	Type Type
	// Mode is 0 to 07777.
	Mode  uint32
	MTime time.Time
	// Content is a regular file's bytes, unless Open is set.
	Content []byte
	// Open gives Size bytes, once for each time that the file is read; the
	// reader of the entry closes them.
	Open func(context.Context) (io.ReadCloser, error)
	Size int64
	// IfMissing keeps what the tree has at Path, a symlink followed: any
	// directory for a Directory, anything else for a Regular.
	IfMissing bool
	// NoSymlink makes a symlink at Path itself an error instead, for an
	// IfMissing.
	NoSymlink bool
}

// insertTree is Insert's decorator.
type insertTree struct {
	tree Tree
	made []Made

	mu   sync.Mutex
	plan *insertPlan // once it is settled
}

// Insert shows t with the entries of made in their sorted places. Each replaces
// what t has there (a directory with its tree), and its directories are added
// with mode 0755 where t does not show them. A directory of its path that is a
// symlink is followed inside the root; one that is anything else is a PlaceError of
// Walk and Lookup. Of two that come to the same path the later wins. The tree
// that it returns closes t.
func Insert(t Tree, made []Made) Tree {
	if len(made) == 0 {
		return t
	}
	return &insertTree{tree: t, made: made}
}

func (t *insertTree) Close() error { return t.tree.Close() }

// settle plans once: where the made entries stand does not change between walks.
func (t *insertTree) settle(ctx context.Context) (*insertPlan, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.plan == nil {
		plan, err := planInsert(ctx, t.tree, t.made)
		if err != nil {
			return nil, err
		}
		t.plan = plan
	}
	return t.plan, nil
}

func (t *insertTree) Lookup(ctx context.Context, path string) (*Entry, error) {
	plan, err := t.settle(ctx)
	if err != nil {
		return nil, err
	}
	if e, ok := plan.entries[path]; ok {
		return e.Entry, nil
	}
	if !plan.replaced(path) {
		e, err := t.tree.Lookup(ctx, path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return e, err
		}
	}
	if below := plan.firstBelow(path); below != nil {
		return madeDirectory(path, below.MTime), nil
	}
	return nil, notFound(path)
}

func (t *insertTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	plan, err := t.settle(ctx)
	if err != nil {
		return err
	}
	w := insertWalk{visit: visit, todo: plan.sorted}
	if err := t.tree.Walk(ctx, w.see); err != nil {
		return err
	}
	return w.insertBefore("")
}

// insertWalk merges the made entries into one walk of the tree.
type insertWalk struct {
	visit func(*Entry) error
	todo  []placed // made entries that are still to come
	above []string // directories that were shown, from the root to here
}

// see shows the made entries that come before e, and then e or what replaces it.
func (w *insertWalk) see(e *Entry) error {
	if err := w.insertBefore(e.Path); err != nil {
		return err
	}
	if len(w.todo) == 0 || w.todo[0].Path != e.Path {
		return w.show(e)
	}
	if w.todo[0].yields {
		w.todo = w.todo[1:]
		return w.show(e)
	}
	if err := w.insert(); err != nil {
		return err
	}
	return skipIfDirectory(e, nil)
}

// insertBefore shows the made entries whose place is before path, all of them
// where path is empty.
func (w *insertWalk) insertBefore(path string) error {
	for len(w.todo) > 0 && (path == "" || Compare(w.todo[0].Path, path) < 0) {
		if err := w.insert(); err != nil {
			return err
		}
	}
	return nil
}

// insert shows the next made entry after the directories above it that the
// stream has not shown.
func (w *insertWalk) insert() error {
	e := w.todo[0]
	w.leave(e.Path)
	for _, dir := range parentsOf(e.Path)[len(w.above):] {
		err := w.show(madeDirectory(dir, e.MTime))
		if errors.Is(err, fs.SkipDir) {
			return nil // show has dropped e and all else below dir
		}
		if err != nil {
			return err
		}
	}
	w.todo = w.todo[1:]
	if err := w.show(e.Entry); !errors.Is(err, fs.SkipDir) {
		return err
	}
	return nil
}

// show visits e. Where the visitor skips a directory, the made entries below it
// are skipped too.
func (w *insertWalk) show(e *Entry) error {
	w.leave(e.Path)
	err := w.visit(e)
	if e.Type != Directory {
		return err
	}
	if errors.Is(err, fs.SkipDir) {
		for len(w.todo) > 0 && isBelow(w.todo[0].Path, e.Path) {
			w.todo = w.todo[1:]
		}
		return err
	}
	w.above = append(w.above, e.Path)
	return err
}

func (w *insertWalk) leave(path string) {
	n := len(w.above)
	for n > 0 && !isBelow(path, w.above[n-1]) {
		n--
	}
	w.above = w.above[:n]
}

// entry is what a walk shows of m at its settled path.
func (m *Made) entry(path string) (*Entry, error) {
	e := &Entry{Path: path, Type: m.Type, Mode: m.Mode, MTime: m.MTime}
	switch {
	case m.Type == Directory:
	case m.Type != Regular:
		return nil, fmt.Errorf("making %q: a %s cannot be made", m.Path, m.Type)
	case m.Open != nil:
		e.Size, e.Open = m.Size, m.Open
	case len(m.Content) > 0:
		e.Size = int64(len(m.Content))
		e.Open = func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(m.Content)), nil
		}
	}
	return e, nil
}
