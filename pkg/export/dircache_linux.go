package export

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The directories that one tree keeps open: most of those whose names are
// between the walker and the sink, but no more than a quarter of the descriptors
// that this process may have, so that trees deeper than those can be walked.
const (
	fewestOpenDirs = 16
	mostOpenDirs   = 128
)

func maxOpenDirs() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fewestOpenDirs
	}
	return int(max(fewestOpenDirs, min(mostOpenDirs, limit.Cur/4)))
}

// directory is a place in a tree that can be opened again at any time: through
// its parent, by its name, and only if it still is the same inode.
type directory struct {
	parent *directory // nil for the root
	path   string     // relative to the tree's root, "." for that itself
	name   string     // the last part of path
	id     LinkKey

	// holders is how many use fd, or closedDir. It is an atomic number and not
	// under the cache's mutex since every name that is read holds its directory
	// three times. fd changes only while it is closedDir.
	holders atomic.Int32
	fd      int
	used    atomic.Uint64 // the cache's clock when it was last held
}

const closedDir = -1

func newDirectory(parent *directory, name string, id LinkKey) *directory {
	path := parent.child(name)
	d := &directory{parent: parent, path: path, name: path[len(path)-len(name):], id: id}
	d.holders.Store(closedDir)
	return d
}

// child is the path of a name in d.
func (d *directory) child(name string) string {
	if d.path == "." {
		return name
	}
	return d.path + "/" + name
}

// dirCache opens directories and keeps those open that were used last. Its
// methods may be called from several goroutines.
type dirCache struct {
	root  *directory
	most  int           // how many are open beside the root, if they are not held
	clock atomic.Uint64 // counts openings

	mu   sync.Mutex   // for opening and closing
	open []*directory // without the root
}

// newDirCache takes over the descriptor fd of the root.
func newDirCache(fd int) *dirCache {
	return &dirCache{root: &directory{path: ".", name: ".", fd: fd}, most: maxOpenDirs()}
}

// hold keeps d's descriptor as it is and reports true, if it is open: then
// release must follow.
func (c *dirCache) hold(d *directory) bool {
	for {
		n := d.holders.Load()
		if n == closedDir {
			return false
		}
		if d.holders.CompareAndSwap(n, n+1) {
			break
		}
	}
	if now := c.clock.Load(); d.used.Load() != now {
		d.used.Store(now)
	}
	return true
}

func (c *dirCache) release(d *directory) { d.holders.Add(-1) }

// acquire gives a descriptor of d that stays open until release. It descends
// again from the nearest directory that is still open, and never holds more
// than two on its way.
func (c *dirCache) acquire(d *directory) (int, error) {
	var closed []*directory
	at := d
	for !c.hold(at) {
		if at.parent == nil {
			return -1, fmt.Errorf("opening directory %q: %w", d.path, os.ErrClosed)
		}
		closed = append(closed, at)
		at = at.parent
	}
	for i := len(closed) - 1; i >= 0; i-- {
		next := closed[i]
		err := c.openIn(at, next)
		c.release(at)
		if err != nil {
			return -1, &ReadError{"opening directory", next.path, err}
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
	st, err := statOpened(fd)
	if err == nil && st.id() != d.id {
		err = errChanged
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.Add(1)
	if c.hold(d) { // another goroutine was faster
		return unix.Close(fd)
	}
	d.fd = fd
	d.used.Store(c.clock.Load())
	d.holders.Store(1)
	c.open = append(c.open, d)
	return c.evict()
}

// evict closes the directories whose last use is longest ago, but for those
// that are held.
func (c *dirCache) evict() error {
	for len(c.open) > c.most {
		oldest := -1
		for i, d := range c.open {
			if d.holders.Load() == 0 && (oldest < 0 || d.used.Load() < c.open[oldest].used.Load()) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		if !c.open[oldest].holders.CompareAndSwap(0, closedDir) {
			continue // somebody came to hold it
		}
		if err := c.closeAt(oldest); err != nil {
			return err
		}
	}
	return nil
}

// closeAt closes a directory that nobody can hold any more.
func (c *dirCache) closeAt(i int) error {
	d := c.open[i]
	last := len(c.open) - 1
	c.open[i] = c.open[last]
	c.open = c.open[:last]
	return unix.Close(d.fd)
}

// close closes everything; acquire fails from now on.
func (c *dirCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for last := len(c.open) - 1; last >= 0; last-- {
		c.open[last].holders.Store(closedDir)
		err = errors.Join(err, c.closeAt(last))
	}
	if c.root.holders.Swap(closedDir) != closedDir {
		err = errors.Join(err, unix.Close(c.root.fd))
	}
	return err
}
