package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// insertPlan is where made entries stand once symlinks are followed.
type insertPlan struct {
	entries map[string]placed
	sorted  []placed // the same, as a walk visits them
}

// placed is an entry of a plan. One that yields is what the tree has already,
// and is shown only if the tree's walk does not: a filter's Lookup cannot tell
// whether its walk will show a directory.
type placed struct {
	*Entry
	made   *Made
	yields bool
}

func planInsert(ctx context.Context, t Tree, made []Made) (*insertPlan, error) {
	p := &insertPlan{entries: make(map[string]placed)}
	for i := range made {
		if err := p.add(ctx, t, &made[i]); err != nil {
			return nil, err
		}
	}
	for _, e := range p.entries {
		p.sorted = append(p.sorted, e)
	}
	slices.SortFunc(p.sorted, func(a, b placed) int { return Compare(a.Path, b.Path) })
	for _, e := range p.sorted {
		if err := p.checkParents(ctx, t, e); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add settles one made entry.
func (p *insertPlan) add(ctx context.Context, t Tree, m *Made) error {
	path, present, err := resolve(ctx, t, m.Path, m.IfMissing && !m.NoSymlink)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("making %q: %w", m.Path, err)
	}
	if path == "." {
		if m.IfMissing && m.Type == Directory {
			return nil
		}
		return fmt.Errorf("making %q: that is the root itself", m.Path)
	}
	earlier, twice := p.entries[path]
	if twice && m.IfMissing {
		return m.accept(earlier.Entry)
	}
	if twice && !earlier.yields && earlier.Type != m.Type {
		return fmt.Errorf("making %q: it is to be a %s and a %s", m.Path, earlier.Type, m.Type)
	}
	if m.IfMissing && present != nil {
		p.entries[path] = placed{Entry: present, made: m, yields: true}
		return m.accept(present)
	}
	e, err := m.entry(path)
	p.entries[path] = placed{Entry: e, made: m}
	return err
}

// accept says whether what is there serves in the place of m.
func (m *Made) accept(present *Entry) error {
	if (present.Type == Directory) == (m.Type == Directory) {
		return nil
	}
	return m.blocked(present, m.Type)
}

// blocked says what stands in the way of m.
func (m *Made) blocked(found *Entry, wanted Type) error {
	return &PlaceError{Path: m.Path, For: m.For, At: found.Path, Found: found.Type, Wanted: wanted}
}

// checkParents fails where something above a placed entry is no directory.
// Symlinks have been followed, so none is left in its path.
func (p *insertPlan) checkParents(ctx context.Context, t Tree, at placed) error {
	for _, dir := range parentsOf(at.Path) {
		e := p.entries[dir].Entry
		if e == nil {
			var err error
			e, err = t.Lookup(ctx, dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a made entry may still stand further down
			}
			if err != nil {
				return fmt.Errorf("making %q: %w", at.Path, err)
			}
		}
		if e.Type != Directory {
			return at.made.blocked(e, Directory)
		}
	}
	return nil
}

// replaced reports whether a made entry stands at path or above it, so that
// nothing of the tree below is seen there.
func (p *insertPlan) replaced(path string) bool {
	for _, dir := range append(parentsOf(path), path) {
		if e, ok := p.entries[dir]; ok && !e.yields {
			return true
		}
	}
	return false
}

// firstBelow is the first made entry strictly below path: the one whose time a
// directory has that is made for it.
func (p *insertPlan) firstBelow(path string) *Entry {
	for _, e := range p.sorted {
		if isBelow(e.Path, path) {
			return e.Entry
		}
	}
	return nil
}
