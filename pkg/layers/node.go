package layers

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// inode is an object without its names. There is one for each file of an image,
// so what few of them have stands apart, in extra.
type inode struct {
	seconds int64
	size    int64
	// offset is where the body begins in its layer's tar; of a sparse file,
	// where its first header does. In a filesystem it is the nid.
	offset int64
	extra  *extra
	nanos  uint32
	uid    uint32
	gid    uint32
	layer  uint32
	// names and number are settled by the merge: how many names the inode has
	// in the tree, and what tells it from others where there are several.
	names  uint32
	number uint32
	mode   uint16
	kind   export.Type
	sparse bool
	// implied says that the time is not the image's: see Options.Implied.
	implied bool
}

type extra struct {
	target       string
	xattrs       []export.Xattr
	major, minor uint32
}

// own gives the inode an extra that is no other inode's.
func (i *inode) own() *extra {
	if i.extra == nil {
		i.extra = new(extra)
	}
	return i.extra
}

func (i *inode) target() string {
	if i.extra == nil {
		return ""
	}
	return i.extra.target
}

func (i *inode) xattrs() []export.Xattr {
	if i.extra == nil {
		return nil
	}
	return i.extra.xattrs
}

// setXattr replaces the attribute of that name; the list stays sorted.
func (i *inode) setXattr(x export.Xattr) {
	e := i.own()
	at, found := slices.BinarySearchFunc(e.xattrs, x.Name, compareXattr)
	if found {
		e.xattrs[at] = x
		return
	}
	e.xattrs = slices.Insert(e.xattrs, at, x)
}

func (i *inode) hasXattr(name string) bool {
	_, found := slices.BinarySearchFunc(i.xattrs(), name, compareXattr)
	return found
}

func compareXattr(x export.Xattr, name string) int { return strings.Compare(x.Name, name) }

func (i *inode) setTime(t time.Time) {
	i.seconds, i.nanos = t.Unix(), uint32(t.Nanosecond())
	i.implied = false
}

// node is a name in a directory.
type node struct {
	name  string
	inode *inode
	// dir is nil but for a directory.
	dir *directory
}

// directory is what a layer, or all of them merged, says about a directory.
type directory struct {
	children
	// whiteouts and opaque are the layer's marks on what is below it.
	whiteouts map[string]struct{}
	opaque    bool
	// inherits: a path mentioned the directory before, or without, an entry of
	// its own. named: it has one. touched: something was made in it.
	inherits, named, touched bool
	// groupFromBelow: the group is that of what is below the parent, where that
	// is setgid.
	groupFromBelow bool
}

// child gives the node of a name, nil where there is none or n is no directory.
func (n *node) child(name string) *node {
	if n == nil || n.dir == nil {
		return nil
	}
	return n.dir.get(name)
}

func (n *node) isSymlink() bool { return n != nil && n.inode.kind == export.Symlink }

// maxFew is how many names a directory holds as a list. Most have fewer, and a
// map costs several hundred bytes from the first name on.
const maxFew = 16

// children are the names in a directory: a sorted list, or a map where there
// are many.
type children struct {
	few  []*node
	many map[string]*node
}

func (c *children) search(name string) (int, bool) {
	return slices.BinarySearchFunc(c.few, name, func(n *node, name string) int { return strings.Compare(n.name, name) })
}

func (c *children) get(name string) *node {
	if c.many != nil {
		return c.many[name]
	}
	if at, found := c.search(name); found {
		return c.few[at]
	}
	return nil
}

// put adds n, or replaces the node of its name.
func (c *children) put(n *node) {
	if c.many != nil {
		c.many[n.name] = n
		return
	}
	at, found := c.search(n.name)
	switch {
	case found:
		c.few[at] = n
	case len(c.few) < maxFew:
		c.few = slices.Insert(c.few, at, n)
	default:
		c.many = make(map[string]*node, 2*maxFew)
		for _, old := range c.few {
			c.many[old.name] = old
		}
		c.many[n.name] = n
		c.few = nil
	}
}

func (c *children) remove(name string) {
	if c.many != nil {
		delete(c.many, name)
		return
	}
	if at, found := c.search(name); found {
		c.few = slices.Delete(c.few, at, at+1)
	}
}

func (c *children) size() int { return len(c.few) + len(c.many) }

func (c *children) clear() { c.few, c.many = nil, nil }

// sorted gives the children by the bytes of their names; the caller does not
// change it.
func (c *children) sorted() []*node {
	if c.many == nil {
		return c.few
	}
	return slices.SortedFunc(maps.Values(c.many), func(a, b *node) int { return strings.Compare(a.name, b.name) })
}

// unsorted visits the children in any order. Nothing that depends on the order
// may be done there.
func (c *children) unsorted(visit func(*node)) {
	for _, n := range c.few {
		visit(n)
	}
	for _, n := range c.many {
		visit(n)
	}
}
