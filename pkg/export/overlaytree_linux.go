package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// overlayTree shows directories one over the other, by the rules of overlayfs
// (kernel, Documentation/filesystems/overlayfs.rst). What the kernel's own
// overlay costs is making an inode of its own for each name, and freeing it
// again: nearly as much as reading the name below.
type overlayTree struct {
	dirTree
	layers stack
}

// stack is the directories that one directory of an overlay is merged of, the
// topmost first.
type stack []*directory

// NewOverlayTree shows what an overlay of layers would, the topmost first. They
// are names of directories below base, which may be opened with O_PATH and is
// taken over. This process must see the attributes named trusted.*, as it does
// with CAP_SYS_ADMIN in the initial user namespace.
//
// The layers are to be such as a layer's tar was unpacked to, with whiteouts and
// opaque directories. What overlayfs itself leaves in a directory that was
// written through it and is told by its name in another one (a redirect, a copy
// of metadata alone) is an error.
func NewOverlayTree(base *os.File, layers []string) Tree {
	below, err := newDirTree(base)
	if err != nil {
		return brokenTree{err}
	}
	t := &overlayTree{dirTree: *below}
	if len(layers) == 0 {
		return brokenTree{errors.Join(errors.New("an overlay of no layers has no root"), t.Close())}
	}
	t.layer = true
	for _, name := range layers {
		root, err := t.openLayer(name)
		if err != nil {
			return brokenTree{errors.Join(fmt.Errorf("looking at layer %q: %w", name, err), t.Close())}
		}
		t.layers = append(t.layers, root)
	}
	return t
}

// openLayer gives the root of a layer, which is opened once it is needed.
func (t *overlayTree) openLayer(name string) (*directory, error) {
	st, err := statAt(t.dirs.root.fd, name)
	if err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, unix.ENOTDIR
	}
	root := newDirectory(t.dirs.root, name, st.id())
	root.name, root.path = name, "."
	return root, nil
}

func (t *overlayTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	return t.walkMerged(ctx, t.layers, visit)
}

func (t *overlayTree) walkMerged(ctx context.Context, dirs stack, visit func(*Entry) error) error {
	if len(dirs) == 1 {
		return t.walkBelow(ctx, dirs[0], visit)
	}
	names, err := t.listMerged(dirs)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, below, err := t.top(name.in, name.listedName)
		if err != nil {
			return err
		}
		if n.isWhiteout() {
			continue
		}
		err = visit(&n.Entry)
		if n.Type == Directory && errors.Is(err, fs.SkipDir) {
			continue
		}
		if err == nil && n.Type == Directory {
			err = t.walkMerged(ctx, below, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mergedName is a name, and those of a stack's directories that have it.
type mergedName struct {
	listedName // as the topmost lists it
	in         stack
}

// listMerged gives the names in a stack's directories, sorted by bytes.
func (t *overlayTree) listMerged(dirs stack) ([]mergedName, error) {
	var all []mergedName
	for i := range dirs {
		names, err := t.list(dirs[i])
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			all = append(all, mergedName{name, dirs[i : i+1]})
		}
	}
	// A stable sort leaves the topmost of a name first.
	slices.SortStableFunc(all, func(a, b mergedName) int { return strings.Compare(a.text, b.text) })
	merged := all[:0]
	for _, name := range all {
		if last := len(merged) - 1; last >= 0 && merged[last].text == name.text {
			merged[last].in = slices.Concat(merged[last].in, name.in)
			continue
		}
		merged = append(merged, name)
	}
	return merged, nil
}

// top looks at a name that each of dirs has. It gives the topmost, which may be
// a whiteout, and what is merged where that is a directory: those below it, up
// to one that is opaque, or to something that is no directory.
func (t *overlayTree) top(dirs stack, listed listedName) (*dirNode, stack, error) {
	name := listed.text
	top, err := t.listedNode(dirs[0], listed)
	if err != nil || top.Type != Directory {
		return top, nil, err
	}
	merged := stack{newDirectory(dirs[0], name, top.id)}
	for _, d := range dirs[1:] {
		opaque, err := t.isOpaque(merged[len(merged)-1])
		if err != nil {
			return nil, nil, err
		}
		if opaque {
			break
		}
		lower, err := t.node(d, name)
		if err != nil {
			return nil, nil, err
		}
		if lower.Type != Directory {
			break
		}
		merged = append(merged, newDirectory(d, name, lower.id))
	}
	return top, merged, nil
}

// Lookup finds what Walk visits.
func (t *overlayTree) Lookup(_ context.Context, path string) (*Entry, error) {
	if path == "." {
		n, err := t.node(t.layers[0], ".")
		if err != nil {
			return nil, err
		}
		return &n.Entry, nil
	}
	dirs, names := t.layers, components(path)
	if slices.Contains(names, "..") {
		return nil, notFound(path)
	}
	for i, name := range names {
		n, below, err := t.lookupIn(dirs, name)
		if err != nil {
			return nil, err
		}
		if i == len(names)-1 {
			return &n.Entry, nil
		}
		if n.Type != Directory {
			return nil, fmt.Errorf("looking up %q: %w", path, notADirectory(n.Path))
		}
		dirs = below
	}
	return nil, notFound(path)
}

// lookupIn looks for a name in a stack.
func (t *overlayTree) lookupIn(dirs stack, name string) (*dirNode, stack, error) {
	var in stack
	for _, d := range dirs {
		_, err := t.node(d, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		in = append(in, d)
	}
	if len(in) == 0 {
		return nil, nil, notFound(dirs[0].child(name))
	}
	n, below, err := t.top(in, listedName{text: name})
	if err == nil && n.isWhiteout() {
		err = notFound(n.Path)
	}
	return n, below, err
}
