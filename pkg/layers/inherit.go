package layers

import (
	"context"
	"strings"
)

// inherit gives the directories that only paths mention the attributes of what
// is below them.
//
// containerd unpacks a layer into a directory of its own and, when it makes such
// a directory, looks at that path in each lower layer's directory, the nearest
// first: where a directory is there, also through symlinks of that layer, it is
// copied; where something else is, a whiteout included, nothing is; where
// nothing is, the next one counts. It does not heed opaque marks there.
//
// All layers are gone through together, path by path: looking below each layer
// by itself would take time by the square of their number. Where ctx ends, the
// rest is left undone.
func inherit(ctx context.Context, layers []*index) {
	in := inheritance{layers, make([][]heir, len(layers))}
	var roots []place
	for i, x := range layers {
		roots = in.put(roots, place{layer: i, dir: x.root, own: true}, nil)
	}
	in.descend(ctx, roots, nil)
	// What is below has inherited, too, before it is copied.
	for _, heirs := range in.heirs {
		for _, h := range heirs {
			h.adopt()
		}
	}
}

// inheritance has the heirs of each layer.
type inheritance struct {
	layers []*index
	heirs  [][]heir
}

// heir is a directory that may inherit, with the nearest one below it and the
// nearest one below its parent, each nil where there is none.
type heir struct{ dir, below, belowParent *node }

// place is what a layer has at a path: a directory, which is there itself (own)
// or to which the layer's symlinks lead.
type place struct {
	layer int
	dir   *node
	own   bool
	// floor is the lowest layer that counts below this place: what hides those
	// under it is there, or on the way there.
	floor int
	// below is the directory of the nearest place that counts.
	below *node
}

// descend goes on to what is in the places of a path, the lowest first.
func (in *inheritance) descend(ctx context.Context, places []place, path []string) {
	for name, speakers := range speakers(places) {
		if ctx.Err() != nil {
			return
		}
		path := append(path, name)
		in.descend(ctx, in.step(places, speakers, path), path)
	}
}

// speakers gives the names of directories that, or in which some, may inherit,
// and the numbers of the places that say something about each, the lowest first.
func speakers(places []place) map[string][]uint32 {
	if len(places) < 2 {
		return nil
	}
	speakers := make(map[string][]uint32)
	for _, p := range places[1:] {
		if !p.own {
			continue
		}
		p.dir.dir.unsorted(func(n *node) {
			if n.dir != nil && (n.dir.inherits || n.dir.size() > 0) {
				speakers[n.name] = nil
			}
		})
	}
	for i, p := range places {
		p.dir.dir.namesAmong(speakers, func(name string) {
			speakers[name] = append(speakers[name], uint32(i))
		})
	}
	return speakers
}

// namesAmong visits the wanted names of which the directory has a child or a
// whiteout. It takes no longer than the shorter of both lists: many symlinks may
// lead to one large directory.
func (d *directory) namesAmong(wanted map[string][]uint32, visit func(string)) {
	if len(wanted) < d.size()+len(d.whiteouts) {
		for name := range wanted {
			if _, hidden := d.whiteouts[name]; hidden || d.get(name) != nil {
				visit(name)
			}
		}
		return
	}
	d.unsorted(func(n *node) {
		if _, found := wanted[n.name]; found {
			visit(n.name)
		}
	})
	for name := range d.whiteouts {
		if _, found := wanted[name]; found && d.get(name) == nil {
			visit(name)
		}
	}
}

// step goes from the places of a directory to those of a name in it, of which
// path is the whole path.
func (in *inheritance) step(places []place, speakers []uint32, path []string) []place {
	var found []place
	name, floor := path[len(path)-1], 0
	for _, i := range speakers {
		p := places[i]
		n, hidden, own := p.dir.child(name), p.dir.hides(name), p.own
		if n.isSymlink() {
			n, hidden = followAll(in.layers[p.layer].root, path)
			own = false
		}
		switch {
		case n == nil && !hidden:
		case n == nil || n.dir == nil:
			floor = p.layer + 1
		default:
			if hidden {
				floor = p.layer // a new directory, of which those below it know nothing
			}
			found = in.put(found, place{layer: p.layer, dir: n, own: own, floor: max(floor, p.floor)}, p.below)
		}
	}
	return found
}

// put adds a place over those that were found.
func (in *inheritance) put(found []place, p place, belowParent *node) []place {
	if last := len(found) - 1; last >= 0 && found[last].layer >= p.floor {
		p.below = found[last].dir
	}
	if p.own && p.dir.dir.inherits && (p.below != nil || belowParent != nil) {
		in.heirs[p.layer] = append(in.heirs[p.layer], heir{p.dir, p.below, belowParent})
	}
	return append(found, p)
}

// followAll gives the node at a path in a layer through all symlinks, or reports
// that what is there, or on the way there, is no directory.
func followAll(root *node, path []string) (n *node, blocked bool) {
	names, err := resolve(root, strings.Join(path, "/"))
	if err != nil {
		return nil, true
	}
	at := root
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

// adopt sets what the directory inherits. Of one that its layer names after
// paths mentioned it, that is only further xattrs.
func (h heir) adopt() {
	if h.below == nil {
		if h.dir.dir.groupFromBelow && !h.dir.dir.named {
			h.dir.takeGroup(h.belowParent)
		}
		return
	}
	from, to := h.below.inode, h.dir.inode
	for _, attr := range from.xattrs() {
		if !to.hasXattr(attr.Name) {
			to.setXattr(attr)
		}
	}
	if h.dir.dir.named {
		to.settleACL()
		return
	}
	to.mode, to.uid, to.gid = from.mode, from.uid, from.gid
	if !h.dir.dir.touched {
		// An opaque mark alone leaves the time that was copied.
		to.seconds, to.nanos, to.implied = from.seconds, from.nanos, from.implied
	}
}
