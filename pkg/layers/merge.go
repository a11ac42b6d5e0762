package layers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// mergeAll makes one tree of all layers, the lowest first, and uses them up.
func mergeAll(ctx context.Context, indexes []*index) (*node, error) {
	if len(indexes) == 0 {
		return newIndex(0, newQuota(Options{})).root, nil
	}
	// A directory takes its attributes from lower layers as they are alone, so
	// all of that comes before the first two are merged.
	inherit(ctx, indexes)
	root := indexes[0].root
	for i, x := range indexes {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
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
	if err := chargeLinks(root, 0, indexes[0].quota); err != nil {
		return nil, fmt.Errorf("counting the paths of hard links: %w", err)
	}
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
	i.settleACLs()
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

// countNames settles which inodes have several names, and numbers them, and
// takes away what only the merge has used.
func countNames(dir *node, numbers *uint32) {
	dir.dir.whiteouts = nil // they have done their work
	dir.inode.dropACLs()
	dir.dir.unsorted(func(n *node) {
		i := n.inode
		if i.names++; i.names == 2 {
			*numbers++
			i.number = *numbers
		}
		if n.dir != nil {
			countNames(n, numbers)
		} else {
			i.dropACLs()
		}
	})
}

// chargeLinks charges the paths of all that has several names: an export keeps
// one path of each, and a short symlink puts any number of them far down.
func chargeLinks(dir *node, above int, q *quota) (err error) {
	dir.dir.unsorted(func(n *node) {
		length := above + len(n.name)
		switch {
		case err != nil:
		case n.dir != nil:
			err = chargeLinks(n, length+1, q)
		case n.inode.names > 1:
			err = q.addMetadata(length)
		}
	})
	return err
}
