package layers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// mergeAll makes one tree of all layers, the lowest first, and uses them up.
func mergeAll(ctx context.Context, indexes []*index) (*node, error) {
	if len(indexes) == 0 {
		return newIndex(0, newQuota(Options{})).root, nil
	}
	// A directory takes its attributes from lower layers as they are alone, so
	// all of that comes before the first two are merged.
	for i := range indexes {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		inherit(indexes[:i+1])
	}
	root := indexes[0].root
	for i, x := range indexes {
		lower := root
		if i == 0 {
			lower = nil
		}
		if err := x.settleLinks(lower); err != nil {
			return nil, fmt.Errorf("merging layer %d of %d: %w", i+1, len(indexes), err)
		}
		if i > 0 {
			merge(root, x.root)
		}
		x.root = nil
	}
	numbers := uint32(0)
	countNames(root, &numbers)
	return root, nil
}

// merge puts upper over lower (layer.md, "Applying Changesets"): marks act on
// what is below first, wherever they stood in their layer.
func merge(lower, upper *node) {
	lower.inode = upper.inode
	if upper.dir.opaque {
		lower.dir.clear()
	}
	for name := range upper.dir.whiteouts {
		lower.dir.remove(name)
	}
	upper.dir.unsorted(func(n *node) {
		below := lower.dir.get(n.name)
		if below != nil && below.dir != nil && n.dir != nil {
			merge(below, n)
			return
		}
		lower.dir.put(n)
	})
}

// settleLinks finds the targets of the links that were left pending: a link to
// what lower layers have takes that, as it was before this layer, and sets its
// attributes as any link does; else it is to an entry that came later.
func (x *index) settleLinks(lower *node) error {
	settled := make(map[*inode]*inode, len(x.pending))
	// A link that came later may be what an earlier one is to: last first.
	for i, p := range slices.Backward(x.pending) {
		target, below, err := x.target(p.target, lower)
		if err != nil {
			return fmt.Errorf("linking %q to %q: %w", p.path, p.target, err)
		}
		if later, isLink := settled[target]; isLink {
			target = later
		}
		if target.kind == 0 {
			return fmt.Errorf("linking %q to %q: that is a link to nothing", p.path, p.target)
		}
		settled[p.inode] = target
		x.pending[i].below = below
	}
	for _, p := range x.pending { // the last header wins
		if p.below {
			lost := settled[p.inode].takeAttributes(p.inode)
			x.quota.xattrs.Add(lost)
		}
	}
	if len(settled) > 0 {
		replaceInodes(x.root, settled)
	}
	x.pending, x.unsettled = nil, nil
	return nil
}

// target gives the inode at a clean path of the lower layers, else of this one.
func (x *index) target(path string, lower *node) (_ *inode, below bool, err error) {
	n, err := find(lower, path)
	if err == nil && n != nil && n.dir == nil {
		return n.inode, true, nil
	}
	n, err = find(x.root, path)
	switch {
	case err != nil:
		return nil, false, err
	case n == nil:
		return nil, false, errors.New("there is no such file")
	case n.dir != nil:
		return nil, false, errors.New("it is a directory")
	}
	return n.inode, false, nil
}

// takeAttributes sets what a later link's header says, and gives the number of
// xattrs that an object of this kind cannot have.
func (i *inode) takeAttributes(link *inode) (lost int64) {
	i.uid, i.gid, i.mode = link.uid, link.gid, link.mode
	i.seconds, i.nanos = link.seconds, link.nanos
	if i.kind == export.Symlink {
		i.mode = modeOfSymlinks
	}
	for _, attr := range link.xattrs() {
		if !holds(i.kind, attr.Name) {
			lost++
			continue
		}
		i.setXattr(attr)
	}
	i.settleACL()
	return lost
}

func replaceInodes(dir *node, by map[*inode]*inode) {
	dir.dir.unsorted(func(n *node) {
		if to, found := by[n.inode]; found {
			n.inode = to
		}
		if n.dir != nil {
			replaceInodes(n, by)
		}
	})
}

// countNames settles which inodes have several names, and numbers them.
func countNames(dir *node, numbers *uint32) {
	dir.dir.whiteouts = nil // they have done their work
	dir.dir.unsorted(func(n *node) {
		i := n.inode
		if i.names++; i.names == 2 {
			*numbers++
			i.number = *numbers
		}
		if n.dir != nil {
			countNames(n, numbers)
		}
	})
}

// inherit gives the directories of the last layer that only paths mention the
// attributes of what is below them.
//
// containerd unpacks a layer into a directory of its own and, when it makes such
// a directory, looks at that path in each lower layer's directory, the nearest
// first: where a directory is there, also through symlinks of that layer, it is
// copied; where something else is, a whiteout included, nothing is; where
// nothing is, the next one counts. It does not heed opaque marks there.
func inherit(layers []*index) {
	top := layers[len(layers)-1]
	var below []place
	for i := len(layers) - 2; i >= 0; i-- {
		below = append(below, place{layers[i].root, layers[i].root})
	}
	adopt(top.root, nil, below)
	inheritBelow(top.root, nil, below)
}

// place is a directory in a lower layer of the given root.
type place struct{ root, dir *node }

// inheritBelow does so for what is in dir; below are the directories below dir.
func inheritBelow(dir *node, path []string, below []place) {
	dir.dir.unsorted(func(n *node) {
		if n.dir == nil {
			return
		}
		path := append(path, n.name)
		var found []place
		if !dir.hides(n.name) { // a whiteout took what is below it, first of all
			found = step(below, path)
		}
		adopt(n, below, found)
		inheritBelow(n, path, found)
	})
}

// step goes from the places of a directory to those of a name in it, of which
// path is the whole path.
func step(below []place, path []string) []place {
	var found []place
	name := path[len(path)-1]
	for _, p := range below {
		n, hidden := p.dir.child(name), p.dir.hides(name)
		if n.isSymlink() {
			n, hidden = p.follow(path)
		}
		switch {
		case n == nil && !hidden:
		case n == nil || n.dir == nil:
			return found
		default:
			found = append(found, place{p.root, n})
			if hidden {
				return found // a new directory, of which those below it know nothing
			}
		}
	}
	return found
}

// follow gives the node at a path in the place's layer through all symlinks,
// or reports that what is there, or on the way there, is no directory.
func (p place) follow(path []string) (n *node, blocked bool) {
	names, err := resolve(p.root, strings.Join(path, "/"))
	if err != nil {
		return nil, true
	}
	at := p.root
	for _, name := range names {
		next := at.child(name)
		if next == nil {
			return nil, at.hides(name)
		}
		at = next
	}
	return at, false
}

// hides reports whether a layer has a whiteout of the name.
func (n *node) hides(name string) bool {
	if n == nil || n.dir == nil {
		return false
	}
	_, hidden := n.dir.whiteouts[name]
	return hidden
}

// adopt sets what a directory inherits of the nearest one below it. Of one that
// its layer names after paths mentioned it, that is only further xattrs.
func adopt(n *node, belowParent, below []place) {
	if !n.dir.inherits {
		return
	}
	if len(below) == 0 {
		if n.dir.groupFromBelow && !n.dir.named && len(belowParent) > 0 {
			n.takeGroup(belowParent[0].dir)
		}
		return
	}
	from, to := below[0].dir.inode, n.inode
	for _, attr := range from.xattrs() {
		if !to.hasXattr(attr.Name) {
			to.setXattr(attr)
		}
	}
	if n.dir.named {
		to.settleACL()
		return
	}
	to.mode, to.uid, to.gid = from.mode, from.uid, from.gid
	if !n.dir.touched {
		// An opaque mark alone leaves the time that was copied.
		to.seconds, to.nanos, to.implied = from.seconds, from.nanos, from.implied
	}
}
