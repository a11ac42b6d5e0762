package layers

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// Marks of image-spec's layer.md, "Whiteouts", and of AUFS, where they come
// from: names with the prefix twice are AUFS's own, and say nothing here but
// for the opaque one.
const (
	whiteoutPrefix = ".wh."
	aufsPrefix     = whiteoutPrefix + whiteoutPrefix
	opaqueMark     = aufsPrefix + ".opq"
)

// modeImplied is a directory's that only paths mention.
const modeImplied = 0o755

// index is the tree of one layer alone: what its entries make of an empty
// directory, and its marks on what is below.
type index struct {
	root   *node
	layer  uint32
	quota  *quota
	format layertype.Format
	// source holds the layer's tar or filesystem of the given size: a part of the
	// spool, or the blob, which is to be closed then. inPlace says that it may be
	// that. image is the filesystem.
	source  io.ReaderAt
	size    int64
	image   *erofs.Image
	blob    Blob
	inPlace bool
	// pending are the targets of hard links that the layer had not when they
	// came; unsettled are their inodes by the target.
	pending   []pendingLink
	unsettled map[string]*inode
}

// pendingLink is a hard link to a lower layer, or to an entry that comes later.
type pendingLink struct {
	path, target string
	// inode stands for the one that is meant, with the links' own attributes.
	inode *inode
	// below: that one turned out to be a lower layer's.
	below bool
}

func newIndex(layer uint32, q *quota) *index {
	x := &index{layer: layer, quota: q}
	x.root = x.impliedDirectory("")
	return x
}

func (x *index) impliedDirectory(name string) *node {
	return &node{
		name:  name,
		inode: &inode{kind: export.Directory, mode: modeImplied, layer: x.layer, implied: true},
		dir:   &directory{inherits: true},
	}
}

// body says where an entry's content lies: see inode.offset.
type body struct {
	offset int64
	sparse bool
}

// add takes the next entry of the layer.
func (x *index) add(h *tar.Header, b body) error {
	dir, base := splitPath(cleanPath(h.Name))
	if base == "" {
		return x.addRoot(h)
	}
	if isAUFS(dir) {
		return nil
	}
	parent, err := x.directory(dir)
	if err != nil {
		return err
	}
	if strings.HasPrefix(base, whiteoutPrefix) {
		return x.mark(parent, base)
	}
	parent.dir.touched = true
	if h.Typeflag == tar.TypeLink {
		return x.addLink(parent, base, h)
	}
	kind, err := kindOf(h.Typeflag)
	if err != nil {
		return err
	}
	return x.addObject(parent, base, kind, h, b)
}

// addRoot takes the root's own attributes. Anything else at the root's place
// makes nothing, as in containerd.
func (x *index) addRoot(h *tar.Header) error {
	if h.Typeflag != tar.TypeDir {
		return nil
	}
	x.root.dir.named = true
	return x.setAttributes(x.root.inode, h)
}

// isAUFS reports whether a path leads through a directory of AUFS's own.
func isAUFS(dir string) bool {
	return strings.HasPrefix(dir, aufsPrefix) || strings.Contains(dir, "/"+aufsPrefix)
}

// mark takes a whiteout (layer.md, "Whiteouts" and "Opaque Whiteout").
func (x *index) mark(parent *node, base string) error {
	if base == opaqueMark {
		parent.dir.opaque = true
		return nil
	}
	parent.dir.touched = true
	if strings.HasPrefix(base, aufsPrefix) {
		return nil
	}
	hidden := base[len(whiteoutPrefix):]
	if hidden == "" || hidden == "." || hidden == ".." {
		return fmt.Errorf("a whiteout of %q", hidden)
	}
	return x.hide(parent, strings.Clone(hidden))
}

// hide takes a name from what is below.
func (x *index) hide(parent *node, hidden string) error {
	if err := x.quota.addEntry(hidden); err != nil {
		return err
	}
	if parent.dir.whiteouts == nil {
		parent.dir.whiteouts = make(map[string]struct{})
	}
	parent.dir.whiteouts[hidden] = struct{}{}
	return nil
}

// directory gives the directory of a clean path and makes what is missing of it.
func (x *index) directory(dir string) (*node, error) {
	// An entry may put a directory at the limit, below which nothing is.
	if n := lookup(x.root, dir); n != nil && n.dir != nil && len(dir) < maxPath {
		return n, nil
	}
	names, err := resolve(x.root, dir)
	if err != nil {
		return nil, err
	}
	at := x.root
	for i, name := range names {
		next := at.child(name)
		if next == nil {
			next = x.impliedDirectory(strings.Clone(name))
			if err := x.quota.addEntry(name); err != nil {
				return nil, err
			}
			x.inheritGroup(next, at)
			at.dir.put(next)
			at.dir.touched = true
		}
		if next.dir == nil {
			return nil, fmt.Errorf("%q is a %s, %w", strings.Join(names[:i+1], "/"), next.inode.kind, errNotDirectory)
		}
		at = next
	}
	return at, nil
}

// inheritGroup does what Linux does when a directory is made in one that is
// setgid: containerd sets no owner of a directory that only a path mentions. It
// never sets the root's attributes.
func (x *index) inheritGroup(made, parent *node) {
	switch {
	case parent == x.root:
	case parent.dir.named:
		made.takeGroup(parent)
	default:
		// So far the parent is like what is below it: see adopt.
		made.dir.groupFromBelow = true
	}
}

func (n *node) takeGroup(parent *node) {
	const setgid = 0o2000
	if parent.inode.mode&setgid != 0 {
		n.inode.gid = parent.inode.gid
	}
}

// addObject puts a new object at its name; two directories become one, with the
// attributes of the later.
func (x *index) addObject(parent *node, base string, kind export.Type, h *tar.Header, b body) (err error) {
	if old := parent.dir.get(base); old != nil && old.dir != nil && kind == export.Directory {
		old.dir.named = true
		return x.setAttributes(old.inode, h)
	}
	n := &node{name: strings.Clone(base), inode: &inode{kind: kind, layer: x.layer}}
	if err := x.quota.addEntry(base); err != nil {
		return err
	}
	switch kind {
	case export.Directory:
		n.dir = &directory{named: true}
	case export.Regular:
		n.inode.size, n.inode.offset, n.inode.sparse = h.Size, b.offset, b.sparse
	case export.Symlink:
		err = x.setTarget(n.inode, h)
	case export.CharDevice, export.BlockDevice:
		err = setDevice(n.inode, h)
	}
	if err != nil {
		return err
	}
	parent.dir.put(n)
	return x.setAttributes(n.inode, h)
}

// addLink puts another name of an object. What had the name goes first, so a
// link to itself is one to nothing.
func (x *index) addLink(parent *node, base string, h *tar.Header) error {
	parent.dir.remove(base)
	target := cleanPath(h.Linkname)
	found, err := find(x.root, target)
	if err != nil {
		return fmt.Errorf("linking it to %q: %w", h.Linkname, err)
	}
	n := &node{name: strings.Clone(base)}
	switch {
	case found != nil && found.dir != nil:
		return fmt.Errorf("a hard link to the directory %q", h.Linkname)
	case found != nil:
		n.inode = found.inode
	default:
		if n.inode, err = x.pendingInode(cleanPath(h.Name), target); err != nil {
			return err
		}
	}
	if err := x.quota.addEntry(base); err != nil {
		return err
	}
	parent.dir.put(n)
	return x.setAttributes(n.inode, h)
}

// pendingInode gives the inode that stands for a target until settleLinks.
func (x *index) pendingInode(name, target string) (*inode, error) {
	if i := x.unsettled[target]; i != nil {
		return i, nil
	}
	if err := x.quota.addMetadata(len(name) + len(target)); err != nil {
		return nil, err
	}
	p := pendingLink{path: strings.Clone(name), target: strings.Clone(target), inode: &inode{layer: x.layer}}
	x.pending = append(x.pending, p)
	if x.unsettled == nil {
		x.unsettled = make(map[string]*inode)
	}
	x.unsettled[p.target] = p.inode
	return p.inode, nil
}
