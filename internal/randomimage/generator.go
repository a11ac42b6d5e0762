package randomimage

import (
	"archive/tar"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// thing is what a layer alone has at a path.
type thing struct {
	kind   byte // a typeflag, or 'w' for a whiteout
	target string
	named  bool // of a directory: by an entry of its own
	led    bool // of a symlink: an entry's path went through it
	white  bool // the layer has a whiteout of the path, too
	entry  Entry
}

// generator makes one image; below and here are what its layers alone hold.
type generator struct {
	*rand.Rand
	Rules
	below  []map[string]*thing
	here   map[string]*thing
	opaque map[string]bool
	out    Layer
	bodies int
}

// New gives the layers of the image of a seed, the lowest first.
func New(seed uint64, r Rules) []Layer { return From(rand.NewPCG(seed, r.stream()), r) }

// From is New with the choices of another source.
func From(choices rand.Source, r Rules) []Layer {
	g := &generator{Rand: rand.New(choices), Rules: r, opaque: map[string]bool{}} //nolint:gosec // G404: a seed gives its image again
	var layers []Layer
	for range 1 + g.IntN(maxLayers) {
		g.addLayer()
		layers = append(layers, g.out)
		g.below = append(g.below, g.here)
	}
	return layers
}

func (g *generator) addLayer() {
	g.here, g.out = map[string]*thing{}, nil
	if g.Defined && g.IntN(3) == 0 {
		g.addOpaque(g.path())
	}
	first := len(g.out)
	for range g.IntN(maxEntries) {
		// A step that adds nothing has to leave nothing behind.
		here, n := maps.Clone(g.here), len(g.out)
		if g.step(); len(g.out) == n {
			g.here = here
		}
	}
	// What an opaque mark hides has to be known before; where it stands not.
	if g.Defined && first > 0 && path.Base(g.out[first-1].Name) == opaqueMark {
		mark := g.out[first-1]
		to := first + g.IntN(len(g.out)-first+1)
		g.out = slices.Delete(slices.Insert(g.out, to, mark), first-1, first)
	}
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) name() string { return pick(g, "a", "b", "c", "d", "a-b", "a.b") }

func (g *generator) path() string {
	names := []string{g.name()}
	for len(names) < 4 && g.IntN(2) == 0 {
		names = append(names, g.name())
	}
	return strings.Join(names, "/")
}

// step adds an entry, or none where the one it thought of is not to be had.
func (g *generator) step() {
	p := g.path()
	if !g.Defined && g.IntN(12) == 0 {
		g.addOpaque(p)
		return
	}
	at, ok := g.makeParents(path.Dir(p), path.Base(p))
	if !ok {
		return
	}
	old := g.here[at]
	switch kind := pick(g, "dir", "dir", "dir", "file", "file", "file", "symlink", "link", "link", "whiteout", "whiteout", "fifo", "device"); kind {
	case "whiteout":
		if old == nil || !g.Unpackable {
			g.out = append(g.out, g.dress(file(path.Dir(p)+"/.wh."+path.Base(p), "")))
			if old == nil {
				g.here[at] = &thing{kind: 'w', white: true}
			}
		}
	case "link":
		g.addLink(p, at)
	default:
		g.addObject(kind, p, at)
	}
}

// addObject adds what is no link and no mark.
func (g *generator) addObject(kind, p, at string) {
	old := g.here[at]
	if kind == "dir" {
		if old != nil && (old.white && g.Unpackable || !g.mayReplace(at, tar.TypeDir)) {
			return
		}
		if old == nil || old.kind != tar.TypeDir {
			g.here[at] = &thing{kind: tar.TypeDir}
		}
		g.here[at].named = true
		g.out = append(g.out, g.dress(dir(p, pick[int64](g, 0o755, 0o700, 0o711, g.setgid()))))
		return
	}
	var i Entry
	switch kind {
	case "file":
		g.bodies++
		i = file(p, pick(g, "", fmt.Sprint("body ", g.bodies)))
	case "symlink":
		i = symlink(p, pick(g, g.name(), "/"+g.path(), "../"+g.path(), g.path(), "./", "no/such"))
	case "fifo":
		i = fifo(p)
	case "device":
		i = device(p, 1, int64(3+g.IntN(3)))
	}
	if !g.mayReplace(at, i.Typeflag) {
		return
	}
	i = g.dress(i)
	g.replace(at, &thing{kind: i.Typeflag, target: i.Linkname, entry: i})
	g.out = append(g.out, i)
}

func (g *generator) setgid() int64 {
	if g.Defined {
		return 0o1777
	}
	return 0o2775
}

// dress gives an entry attributes and a spelling of its name.
func (g *generator) dress(i Entry) Entry {
	i.Uid, i.Gid = pick(g, 0, 0, 1, 50), pick(g, 0, 0, 2, 60)
	if i.Typeflag == tar.TypeReg {
		i.Mode = pick[int64](g, 0o644, 0o4755, 0o600, 0)
	}
	i.ModTime = pick(g, usual, usual.Add(1), Created.Add(-1), Created.Add(1e9))
	if i.Typeflag == tar.TypeReg || i.Typeflag == tar.TypeDir || i.Typeflag == tar.TypeLink {
		for range g.IntN(5) - 2 {
			i = i.xattr(pick(g, "security.a", "security.b"), fmt.Sprint(g.IntN(9)))
		}
	}
	i.Name = pick(g, "", "", "./", "/", "../", "c/../") + strings.TrimPrefix(i.Name, "./")
	return i
}

// addLink adds a hard link to something of this layer, or of a lower one.
func (g *generator) addLink(p, at string) {
	target := g.path()
	found, blocked := walk(g.here, path.Dir(target), false)
	if blocked || !g.mayReplace(at, tar.TypeLink) {
		return
	}
	to := path.Join(found, path.Base(target))
	thing := g.here[to]
	if thing == nil && !g.Unpackable {
		thing = g.lowest(to)
	}
	if thing == nil || thing.kind == tar.TypeDir || thing.kind == 'w' || to == at || g.under(to, at) {
		return
	}
	g.replace(at, thing)
	i := g.dress(link(p, target))
	if g.Defined && g.Unpackable {
		i = i.withAttributes(thing.entry)
	}
	g.out = append(g.out, i)
}

// lowest gives what the nearest lower layer has at a path where one can be sure
// that no other layer between hides it.
func (g *generator) lowest(at string) *thing {
	if len(g.below) == 0 || g.here[path.Dir(at)] != nil && g.here[path.Dir(at)].kind == tar.TypeSymlink {
		return nil
	}
	return g.below[len(g.below)-1][at]
}

func (g *generator) addOpaque(p string) {
	if !g.Unpackable && g.IntN(4) == 0 {
		g.out = append(g.out, file(opaqueMark, ""))
		g.opaque["."] = true
		return
	}
	if resolved, _ := walk(g.here, p, true); resolved == "." {
		return // containerd ignores it at the root, through a symlink too
	}
	if at, ok := g.makeParents(p, "x"); ok && !(g.Unpackable && g.losesUnnamed(path.Dir(at))) {
		g.out = append(g.out, file(p+"/"+opaqueMark, ""))
		g.opaque[path.Dir(at)] = true
	}
}
