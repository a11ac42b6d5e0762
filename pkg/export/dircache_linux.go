package export

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxOpenDirs bounds the directory descriptors of one tree, so that trees
// deeper than the process's limit of descriptors can be walked.
const maxOpenDirs = 16

// directory is a place in a tree that can be opened again at any time: through
// its parent, by its name, and only if it still is the same inode.
type directory struct {
	parent *directory // nil for the root
	name   string
	id     LinkKey

	// The cache's mutex guards what follows.
	fd   int // -1 while it is closed
	held int
	used uint64 // the cache's clock when it was last held
}

func newDirectory(parent *directory, name string, id LinkKey) *directory {
	return &directory{parent: parent, name: name, id: id, fd: -1}
}

// path is for messages: relative to the root, "." for the root itself.
func (d *directory) path() string {
	if d.parent == nil {
		return "."
	}
	return d.parent.child(d.name)
}

// child is the path of a name in d, for messages.
func (d *directory) child(name string) string {
	for ; d.parent != nil; d = d.parent {
		name = d.name + "/" + name
	}
	return name
}

// dirCache opens directories and keeps those open that were used last. Its
// methods may be called from several goroutines.
type dirCache struct {
	mu    sync.Mutex
	root  *directory
	open  []*directory // without the root
	clock uint64
}

// newDirCache takes over the descriptor fd of the root.
func newDirCache(fd int) *dirCache {
	return &dirCache{root: &directory{name: ".", fd: fd}}
}

// hold keeps d's descriptor as it is and reports true, if it is open: then
// release must follow.
func (c *dirCache) hold(d *directory) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.fd < 0 {
		return false
	}
	c.clock++
	d.held++
	d.used = c.clock
	return true
}

func (c *dirCache) release(d *directory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.held--
}

// acquire gives a descriptor of d that stays open until release. It descends
// again from the nearest directory that is still open, and never holds more
// than two on its way.
func (c *dirCache) acquire(d *directory) (int, error) {
	var closed []*directory
	at := d
	for !c.hold(at) {
		if at.parent == nil {
			return -1, fmt.Errorf("opening directory %q: %w", d.path(), os.ErrClosed)
		}
		closed = append(closed, at)
		at = at.parent
	}
	for i := len(closed) - 1; i >= 0; i-- {
		next := closed[i]
		err := c.openIn(at, next)
		c.release(at)
		if err != nil {
			return -1, &ReadError{"opening directory", next.path(), err}
		}
		at = next
	}
	return d.fd, nil
}

// openIn opens d in its parent, which is held, and holds it.
func (c *dirCache) openIn(parent, d *directory) error {
	fd, err := openNoAtime(parent.fd, d.name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	st, err := statAt(fd, "")
	if err == nil && st.id() != d.id {
		err = errChanged
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	d.held++
	d.used = c.clock
	if d.fd >= 0 { // another goroutine was faster
		return unix.Close(fd)
	}
	d.fd = fd
	c.open = append(c.open, d)
	return c.evict()
}

// evict closes the directories whose last use is longest ago, but for those
// that are held.
func (c *dirCache) evict() error {
	for len(c.open) > maxOpenDirs {
		oldest := -1
		for i, d := range c.open {
			if d.held == 0 && (oldest < 0 || d.used < c.open[oldest].used) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		if err := c.closeAt(oldest); err != nil {
			return err
		}
	}
	return nil
}

func (c *dirCache) closeAt(i int) error {
	d := c.open[i]
	last := len(c.open) - 1
	c.open[i] = c.open[last]
	c.open = c.open[:last]
	fd := d.fd
	d.fd = -1
	return unix.Close(fd)
}

// close closes everything; acquire fails from now on.
func (c *dirCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for len(c.open) > 0 {
		err = errors.Join(err, c.closeAt(len(c.open)-1))
	}
	if c.root.fd >= 0 {
		err = errors.Join(err, unix.Close(c.root.fd))
		c.root.fd = -1
	}
	return err
}
