package randomimage

import (
	"archive/tar"
	"path"
	"slices"
	"strings"
)

// Here is what keeps out of an image what its Rules exclude.

func (g *generator) under(p, dir string) bool { return strings.HasPrefix(p, dir+"/") }

// mayReplace reports whether a new thing of the kind is to be had at a path:
// containerd sets the times of a layer's directories last and by their names,
// wherever those lead by then.
func (g *generator) mayReplace(at string, kind byte) bool {
	old := g.here[at]
	if old == nil || old.kind == 'w' {
		return true
	}
	if g.Defined && (old.kind == tar.TypeDir) != (kind == tar.TypeDir) {
		return false
	}
	if g.Defined && kind == tar.TypeDir && !old.named {
		return false
	}
	if old.led {
		return false
	}
	if kind == tar.TypeDir && old.kind == tar.TypeDir {
		return true
	}
	for p, t := range g.here {
		if (p == at || g.under(p, at)) && (t.named || t.led) {
			return false
		}
	}
	return true
}

func (g *generator) replace(at string, t *thing) {
	for p := range g.here {
		if g.under(p, at) {
			delete(g.here, p)
		}
	}
	g.here[at] = &thing{kind: t.kind, target: t.target, entry: t.entry, white: g.here[at] != nil && g.here[at].white}
}

// losesUnnamed reports whether an opaque mark of the directory would remove what
// its own layer has: in the lowest layer, containerd removes what has no entry.
func (g *generator) losesUnnamed(dir string) bool {
	if len(g.below) > 0 || g.Defined {
		return false
	}
	for p, t := range g.here {
		if g.under(p, dir) && t.kind == tar.TypeDir && !t.named {
			return true
		}
	}
	return false
}

// makeParents gives the place of base in dir and makes the directories of dir;
// false where containerd would refuse to, or the rules do not want it.
func (g *generator) makeParents(dir, base string) (string, bool) {
	resolved, blocked := walk(g.here, dir, !g.Defined)
	if blocked {
		return "", false
	}
	if resolved != "." {
		names := strings.Split(resolved, "/")
		for i := range names {
			if !g.makeDirectory(strings.Join(names[:i+1], "/")) {
				return "", false
			}
		}
	}
	if !g.Defined {
		g.lead(dir)
	}
	return path.Join(resolved, base), true
}

// lead notes the symlinks that a path goes through.
func (g *generator) lead(dir string) {
	names := strings.Split(dir, "/")
	for i := range names {
		if at, blocked := walk(g.here, strings.Join(names[:i], "/"), false); !blocked {
			if t := g.here[path.Join(at, names[i])]; t != nil && t.kind == tar.TypeSymlink {
				for _, t := range g.here {
					t.led = t.led || t.kind == tar.TypeSymlink
				}
			}
		}
	}
}

// makeDirectory makes a directory that only a path mentions.
func (g *generator) makeDirectory(p string) bool {
	if t := g.here[p]; t != nil {
		return t.kind == tar.TypeDir
	}
	hidden := false
	for o := range g.opaque {
		hidden = hidden || o == "." || p == o || g.under(p, o)
	}
	for _, lower := range slices.Backward(g.below) {
		at, blocked := walk(lower, p, true)
		if blocked {
			return false
		}
		for q := p; q != "."; q = path.Dir(q) {
			hidden = hidden || lower[q] != nil && lower[q].kind != tar.TypeDir
		}
		if lower[at] != nil {
			break
		}
	}
	t := &thing{kind: tar.TypeDir}
	if g.Defined && hidden {
		t.named = true
		g.out = append(g.out, g.dress(dir(p, 0o755)))
	}
	g.here[p] = t
	return true
}

// walk follows a path in a layer alone; blocked where something that is no
// directory is in the way, a loop, or a symlink and those are not wanted.
func walk(in map[string]*thing, p string, symlinks bool) (resolved string, blocked bool) {
	at := "."
	todo := strings.Split(path.Clean("/" + p)[1:], "/")
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if name == "" {
			continue
		}
		if t := in[at]; t != nil && t.kind != tar.TypeDir {
			return "", true
		}
		next := path.Join(at, name)
		if t := in[next]; t != nil && t.kind == tar.TypeSymlink {
			if links++; links > 20 || !symlinks {
				return "", true
			}
			target := t.target
			if !strings.HasPrefix(target, "/") {
				target = path.Join("/", at, target)
			}
			todo = append(strings.Split(path.Clean(target)[1:], "/"), todo...)
			at = "."
			continue
		}
		at = next
	}
	return at, false
}
