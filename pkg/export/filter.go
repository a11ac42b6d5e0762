package export

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
)

// Rules say what a Filter keeps, in the .dockerignore grammar. The zero value
// keeps everything.
type Rules struct {
	// Exclude leaves out what matches; an excluded directory takes its tree
	// with it, but for what a later pattern with '!' brings back.
	Exclude []string
	// Include, where it is not empty, keeps only what matches, a matched
	// directory with its whole tree, and the directories above.
	Include []string
}

// Filter is a Tree that shows a part of another. The directories above a kept
// name are always shown, right before the first name that needs them.
type Filter struct {
	tree     Tree
	exclude  patternList
	include  patternList
	excluded atomic.Int64
}

// NewFilter puts the rules r over t. A pattern that cannot be read is an error
// that quotes it. The Filter closes t.
func NewFilter(t Tree, r Rules) (*Filter, error) {
	exclude, err := parsePatterns(r.Exclude)
	if err != nil {
		return nil, err
	}
	include, err := parsePatterns(r.Include)
	if err != nil {
		return nil, err
	}
	return &Filter{tree: t, exclude: exclude, include: include}, nil
}

// Excluded is how many names the last walk saw and left out; what lies below a
// directory that it left out as a whole was not seen.
func (f *Filter) Excluded() int64 { return f.excluded.Load() }

// Unmatched lists the patterns that matched nothing in any walk or look-up, as
// they were written. A pattern that could match only where a walk did not look
// is not listed.
func (f *Filter) Unmatched() []string {
	var texts []string
	for _, list := range []patternList{f.exclude, f.include} {
		for _, p := range list {
			if !p.hit.Load() {
				texts = append(texts, p.text)
			}
		}
	}
	return texts
}

// Close closes the tree below.
func (f *Filter) Close() error { return f.tree.Close() }

// marks is which patterns match a name or a directory above it.
type marks struct{ exclude, include []bool }

func (f *Filter) mark(path string, above marks) marks {
	return marks{
		exclude: f.exclude.mark(make([]bool, 0, len(f.exclude)), path, above.exclude),
		include: f.include.mark(make([]bool, 0, len(f.include)), path, above.include),
	}
}

func (f *Filter) keeps(m marks) bool {
	if f.exclude.verdict(m.exclude) {
		return false
	}
	return len(f.include) == 0 || f.include.verdict(m.include)
}

// mayKeepBelow reports whether something below the directory dir, which itself
// is not kept, could be.
func (f *Filter) mayKeepBelow(dir string, m marks) bool {
	if f.exclude.verdict(m.exclude) && !f.exclude.turnsBelow(dir, true) {
		return false
	}
	return len(f.include) == 0 || f.include.verdict(m.include) || f.include.turnsBelow(dir, false)
}

// Lookup shows what Walk would, but for one case: a directory that is not kept
// itself is found wherever a name below it could be kept, whether or not there
// is one.
func (f *Filter) Lookup(ctx context.Context, path string) (*Entry, error) {
	if path == "." {
		return f.tree.Lookup(ctx, path)
	}
	var m marks
	for _, dir := range parentsOf(path) {
		m = f.mark(dir, m)
	}
	m = f.mark(path, m)
	kept := f.keeps(m)
	if !kept && !f.mayKeepBelow(path, m) {
		return nil, notFound(path)
	}
	e, err := f.tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	if !kept && e.Type != Directory {
		return nil, notFound(path)
	}
	return e, nil
}

// Walk visits what the rules keep.
func (f *Filter) Walk(ctx context.Context, visit func(*Entry) error) error {
	f.excluded.Store(0)
	if len(f.exclude) == 0 && len(f.include) == 0 {
		return f.tree.Walk(ctx, visit)
	}
	w := filterWalk{filter: f, visit: visit}
	return f.tree.Walk(ctx, w.see)
}

// filterWalk is one walk: the directories from the root to where it is.
type filterWalk struct {
	filter *Filter
	visit  func(*Entry) error
	above  []filterDir
}

type filterDir struct {
	entry   *Entry
	marks   marks
	shown   bool
	skipped bool // the visitor wants nothing of what is below
}

func (w *filterWalk) see(e *Entry) error {
	w.leave(e.Path)
	var up marks
	if len(w.above) > 0 {
		up = w.above[len(w.above)-1].marks
	}
	m := w.filter.mark(e.Path, up)
	if w.filter.keeps(m) {
		if skipped, err := w.showAbove(); skipped || err != nil {
			return skipIfDirectory(e, err)
		}
		if err := w.visit(e); err != nil {
			return err
		}
		w.enter(filterDir{entry: e, marks: m, shown: true})
		return nil
	}
	w.filter.excluded.Add(1)
	if e.Type != Directory {
		return nil
	}
	if !w.filter.mayKeepBelow(e.Path, m) {
		w.filter.exclude.pass(e.Path)
		w.filter.include.pass(e.Path)
		return fs.SkipDir
	}
	w.enter(filterDir{entry: e, marks: m})
	return nil
}

func (w *filterWalk) enter(d filterDir) {
	if d.entry.Type == Directory {
		w.above = append(w.above, d)
	}
}

func (w *filterWalk) leave(path string) {
	n := len(w.above)
	for n > 0 && !isBelow(path, w.above[n-1].entry.Path) {
		n--
	}
	w.above = w.above[:n]
}

// showAbove visits the directories above a kept name that were held back. When
// the visitor skips one of them, nothing below it is to be shown.
func (w *filterWalk) showAbove() (skipped bool, err error) {
	for i := range w.above {
		d := &w.above[i]
		if d.skipped {
			return true, nil
		}
		if d.shown {
			continue
		}
		err := w.visit(d.entry)
		d.skipped = errors.Is(err, fs.SkipDir)
		if err != nil && !d.skipped {
			return false, err
		}
		d.shown = true
		w.filter.excluded.Add(-1)
		if d.skipped {
			return true, nil
		}
	}
	return false, nil
}

// skipIfDirectory ends the visit of a name whose parent was skipped.
func skipIfDirectory(e *Entry, err error) error {
	if err == nil && e.Type == Directory {
		return fs.SkipDir
	}
	return err
}
