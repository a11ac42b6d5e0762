package export

import (
	"sync"

	"golang.org/x/sys/unix"
)

// fileCache holds the regular files that a walk has opened and nobody has read
// yet: one look-up by name gives both what an Entry says and the content, where
// looking and opening took two. It has room for what Write has under way; a file
// that is not read by then is closed, and opened again should it be read after
// all.
type fileCache struct {
	mu     sync.Mutex
	ring   []*dirNode // the oldest at next; nil where none are to be opened
	next   int
	unread int // how many were closed again
}

const (
	aheadFiles = (batchCount + 1) * batchItems
	// aheadShare is the part of the descriptors this process may have that a
	// walk takes for files.
	aheadShare = 16
	// noFile is the descriptor of none.
	noFile = -1
)

func newFileCache() *fileCache {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < aheadShare*aheadFiles {
		return &fileCache{}
	}
	return &fileCache{ring: make([]*dirNode, aheadFiles)}
}

// openIn opens a regular file in a directory, and gives its node; nil where it is
// to be looked up by its name. What keeps it from being opened is said when it
// is read, if it is.
func (c *fileCache) openIn(t *dirTree, d *directory, name string) *dirNode {
	if !c.wanted() {
		return nil
	}
	dirFD, err := t.dirs.acquire(d)
	if err != nil {
		return nil
	}
	defer t.dirs.release(d)
	fd, err := openNoAtime(dirFD, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil
	}
	opened, err := statOpened(fd)
	if err != nil || opened.Mode&unix.S_IFMT != unix.S_IFREG {
		_ = unix.Close(fd) // nothing was read
		return nil
	}
	st := opened.stat()
	n, err := t.newNode(d, name, &st)
	if err != nil || n.Size == 0 || n.Link != (LinkKey{}) {
		// Of hard links only the first name is read.
		_ = unix.Close(fd)
		return n
	}
	c.put(n, fd)
	return n
}

// wanted says whether files are to be opened. A walk that only lists goes on
// without, once as many were opened for nothing as there is room for.
func (c *fileCache) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ring != nil && c.unread < aheadFiles
}

// put keeps an open file, and closes the oldest where that is still there.
func (c *fileCache) put(n *dirNode, fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.ahead = fd
	if oldest := c.ring[c.next]; oldest != nil && oldest.ahead != noFile {
		c.drop(oldest)
		c.unread++
	}
	c.ring[c.next] = n
	c.next = (c.next + 1) % len(c.ring)
}

func (c *fileCache) drop(n *dirNode) {
	_ = unix.Close(n.ahead) // nothing was read
	n.ahead = noFile
}

// take gives the descriptor of a file that is open still, to be closed by the
// caller.
func (c *fileCache) take(n *dirNode) (fd int, has bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fd, n.ahead = n.ahead, noFile
	return fd, fd != noFile
}

// close closes what nobody has taken.
func (c *fileCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.ring {
		if n != nil && n.ahead != noFile {
			c.drop(n)
		}
	}
	c.ring = nil
}
