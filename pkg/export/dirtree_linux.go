package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// dirTree is a directory of this machine as a Tree. Every name is reached by
// the descriptor of its directory: no path is resolved twice, no symlink is
// followed, and nothing but directories and regular files is ever opened.
type dirTree struct {
	dirs   *dirCache
	files  *fileCache
	xattrs *xattrReader
	live   *live // nil where nothing changes
	// layer says that the directories are overlayfs's layers, of which not all
	// that is there is to be seen.
	layer bool

	listing *sync.Mutex // a descriptor has one place where its listing is
	dirents []byte      // what one call lists
}

// NewDirTree shows the directory root, which may be opened with O_PATH and may
// be a mount that is in no mount namespace. It takes root over: its Close
// closes it. An object that vanishes or changes between walking and reading is
// an error that names it.
func NewDirTree(root *os.File) Tree {
	t, err := newDirTree(root)
	if err != nil {
		return brokenTree{err}
	}
	return t
}

func newDirTree(root *os.File) (*dirTree, error) {
	// The descriptor is duplicated so that no finalizer of root closes it.
	fd, err := unix.FcntlInt(root.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if closeErr := root.Close(); err != nil || closeErr != nil {
		return nil, fmt.Errorf("taking over directory %q: %w", root.Name(), errors.Join(err, closeErr))
	}
	return &dirTree{
		dirs:    newDirCache(fd),
		files:   newFileCache(),
		xattrs:  newXattrReader(chooseXattrCalls(fd)),
		listing: new(sync.Mutex),
		dirents: make([]byte, direntsBuffer),
	}, nil
}

// brokenTree answers everything with the error that kept a tree from opening.
type brokenTree struct{ err error }

func (t brokenTree) Walk(context.Context, func(*Entry) error) error { return t.err }
func (t brokenTree) Lookup(context.Context, string) (*Entry, error) { return nil, t.err }
func (t brokenTree) Close() error                                   { return nil }

func (t *dirTree) Close() error {
	t.files.close()
	if err := t.dirs.close(); err != nil {
		return fmt.Errorf("closing directories: %w", err)
	}
	return nil
}

// dirNode is an entry of a dirTree: a name in a directory.
type dirNode struct {
	Entry
	tree *dirTree
	dir  *directory
	name string
	id   LinkKey
	// mountPoint says that something else is mounted there, on a live tree.
	mountPoint bool
	// opened is the body, while it is open.
	opened *fileBody
	// ahead is the descriptor that the walk opened, and which belongs to the
	// tree's fileCache.
	ahead int
}

func (t *dirTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	return t.walkBelow(ctx, t.dirs.root, visit)
}

func (t *dirTree) walkBelow(ctx context.Context, d *directory, visit func(*Entry) error) error {
	names, err := t.list(d)
	if err != nil {
		return t.live.forgive(d.path, Emptied, err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := t.listedNode(d, name)
		if err != nil {
			if name.kind == unix.DT_CHR && errors.Is(err, fs.ErrNotExist) {
				continue // see listedName
			}
			if err := t.live.forgive(d.child(name.text), Vanished, err); err != nil {
				return err
			}
			continue
		}
		if t.layer && n.isWhiteout() {
			continue
		}
		err = visit(&n.Entry)
		if n.Type != Directory {
			if err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, fs.SkipDir) || err == nil && n.mountPoint {
			continue
		}
		if err == nil {
			err = t.walkBelow(ctx, newDirectory(d, name.text, n.id), visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *dirTree) Lookup(_ context.Context, path string) (*Entry, error) {
	e, err := t.lookup(path)
	return e, t.live.moved(path, err)
}

func (t *dirTree) lookup(path string) (*Entry, error) {
	dir := t.dirs.root
	if path == "." {
		n, err := t.node(dir, ".")
		if err != nil {
			return nil, err
		}
		return &n.Entry, nil
	}
	names := components(path)
	if slices.Contains(names, "..") { // of the root it would lead out
		return nil, notFound(path)
	}
	for i, name := range names {
		n, err := t.node(dir, name)
		if err != nil {
			return nil, err
		}
		if i == len(names)-1 {
			return &n.Entry, nil
		}
		if n.Type != Directory {
			return nil, fmt.Errorf("looking up %q: %w", path, notADirectory(n.Path))
		}
		if n.mountPoint {
			return nil, notFound(path)
		}
		dir = newDirectory(dir, name, n.id)
	}
	return nil, notFound(path)
}

// listedNode looks at a name of a listing. A regular file is opened for that,
// since it will be read in a moment, unless that is not to be had.
func (t *dirTree) listedNode(d *directory, name listedName) (*dirNode, error) {
	if name.kind == unix.DT_REG && t.live == nil {
		if n := t.files.openIn(t, d, name.text); n != nil {
			return n, nil
		}
	}
	return t.node(d, name.text)
}

// node looks at a name in a directory.
func (t *dirTree) node(d *directory, name string) (*dirNode, error) {
	fd, err := t.dirs.acquire(d)
	if err != nil {
		return nil, err
	}
	defer t.dirs.release(d)
	st, err := statxAt(fd, name, t.live.mask())
	if err != nil {
		return nil, &ReadError{"looking up", d.child(name), err}
	}
	n, err := t.newNode(d, name, &st)
	if err != nil {
		return nil, err
	}
	if n.Type == Symlink {
		n.Target, err = readlinkAt(fd, name)
		if t.live != nil && errors.Is(err, unix.EINVAL) {
			return t.node(d, name) // it is no symlink any more
		}
		if err != nil {
			return nil, &ReadError{"reading symlink", n.Path, err}
		}
	}
	if t.live != nil {
		t.live.watch(n, &st)
	}
	return n, nil
}

// newNode is what st says of a name, all but a symlink's target.
func (t *dirTree) newNode(d *directory, name string, st *stat) (*dirNode, error) {
	path := d.child(name)
	// The end of path, so that the listing's own copy can be freed.
	n := &dirNode{tree: t, dir: d, name: path[len(path)-len(name):], id: st.id(), ahead: noFile}
	n.Path = path
	if err := st.fill(&n.Entry); err != nil {
		return nil, fmt.Errorf("looking up %q: %w", n.Path, err)
	}
	n.Xattrs = n.readXattrs
	if n.Size > 0 {
		n.Open = n.open
	}
	return n, nil
}

func (n *dirNode) readXattrs(context.Context) ([]Xattr, error) {
	attrs, err := n.rawXattrs()
	if err == nil && n.tree.layer {
		attrs, err = withoutMarks(attrs)
	}
	if err != nil {
		return nil, &ReadError{"reading xattrs of", n.Path, err}
	}
	return attrs, nil
}

func (n *dirNode) rawXattrs() ([]Xattr, error) {
	if n.opened != nil {
		return n.tree.xattrs.readOpened(n.opened.fd)
	}
	fd, err := n.tree.dirs.acquire(n.dir)
	if err != nil {
		return nil, err
	}
	defer n.tree.dirs.release(n.dir)
	return n.tree.xattrs.read(fd, n.name)
}

// open gives the file that the walk saw, or nothing.
func (n *dirNode) open(context.Context) (io.ReadCloser, error) {
	fd, kept := n.tree.files.take(n)
	if !kept {
		var err error
		if fd, err = n.openAgain(); err != nil {
			return nil, err
		}
	}
	n.opened = &fileBody{fd: fd, node: n}
	return n.opened, nil
}

// openAgain opens the file by its name: O_NONBLOCK keeps a FIFO that was put in
// its place from blocking.
func (n *dirNode) openAgain() (int, error) {
	dirFD, err := n.tree.dirs.acquire(n.dir)
	if err != nil {
		return -1, err
	}
	defer n.tree.dirs.release(n.dir)
	fd, err := openNoAtime(dirFD, n.name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return -1, &ReadError{"opening", n.Path, err}
	}
	st, err := statOpened(fd)
	if err == nil && (st.id() != n.id || st.Mode&unix.S_IFMT != unix.S_IFREG) {
		err = errChanged
	}
	if err != nil {
		return -1, errors.Join(&ReadError{"opening", n.Path, err}, unix.Close(fd))
	}
	return fd, nil
}
