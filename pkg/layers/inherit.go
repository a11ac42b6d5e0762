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
	sayings := whatIsSaid(places)
	for name := range sayings.first {
		if ctx.Err() != nil {
			return
		}
		path := append(path, name)
		in.descend(ctx, in.step(places, sayings, path), path)
	}
}

// sayings are the places of a path that say something about the names in it: a
// list for each name, the lowest place first. They are not slices of their own
// since there may be millions of names.
type sayings struct {
	first map[string]uint32 // where a name's list begins in all, from 1 on; 0 for none
	all   []saying
}

type saying struct{ place, next uint32 }

// whatIsSaid gives the names of directories that, or in which some, may inherit,
// with the places that say something about each.
func whatIsSaid(places []place) (s sayings) {
	for i, p := range places {
		if i == 0 || !p.own { // below the lowest is nothing to inherit
			continue
		}
		p.dir.dir.unsorted(func(n *node) {
			if n.dir == nil || !n.dir.inherits && n.dir.size() == 0 {
				return
			}
			if s.first == nil { // most directories have none below them
				s.first = make(map[string]uint32)
			}
			s.first[n.name] = 0
		})
	}
	if s.first == nil {
		return s
	}
	for i := len(places) - 1; i >= 0; i-- {
		places[i].dir.dir.namesAmong(s.first, func(name string) {
			s.all = append(s.all, saying{uint32(i), s.first[name]})
			s.first[name] = uint32(len(s.all))
		})
	}
	return s
}

// namesAmong visits the wanted names of which the directory has a child or a
// whiteout. It takes no longer than the shorter of both lists: many symlinks may
// lead to one large directory.
func (d *directory) namesAmong(wanted map[string]uint32, visit func(string)) {
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
func (in *inheritance) step(places []place, said sayings, path []string) []place {
	var found []place
	name, floor := path[len(path)-1], 0
	for at := said.first[name]; at != 0; at = said.all[at-1].next {
		p := places[said.all[at-1].place]
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
		to.settleACLs()
		return
	}
	to.mode, to.uid, to.gid = from.mode, from.uid, from.gid
	if !h.dir.dir.touched {
		// An opaque mark alone leaves the time that was copied.
		to.seconds, to.nanos, to.implied = from.seconds, from.nanos, from.implied
	}
}
