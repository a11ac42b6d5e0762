package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LiveTree is a directory that others write to while it is read: a running
// container's root. What they do meanwhile is no error; it is counted:
//
//   - a file that vanishes is left out; one that another took the place of is
//     that other one;
//   - a file that shrinks is filled up with zeros to the size it had, and one
//     that grows is cut there, so that an archive stays well formed.
//
// Only the mount is shown that the root is in: a directory that something else
// is mounted on is empty.
type LiveTree struct{ *dirTree }

// NewLiveTree shows the directory root, as NewDirTree does, and takes it over,
// also where it gives an error.
func NewLiveTree(root *os.File) (*LiveTree, error) {
	t, err := newDirTree(root)
	if err != nil {
		return nil, err
	}
	st, err := statxAt(t.dirs.root.fd, "", liveMask)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("looking at directory %q: %w", root.Name(), err), t.Close())
	}
	t.live = &live{mount: st.Mnt_id}
	return &LiveTree{t}, nil
}

// Changes gives what others did while the tree was read: the first 100 by
// name, and how many there were. It is asked for after the walk.
func (t *LiveTree) Changes() (named []Change, count int64) {
	c := &t.live.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Change(nil), c.named...), c.count
}

// live is what a dirTree has more where others write to it. A nil one stands
// for a tree that nobody writes to.
type live struct {
	mount   uint64 // the id of the root's mount
	changes changes
}

const liveMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID

// mask is what statx(2) is asked for.
func (l *live) mask() int {
	if l == nil {
		return unix.STATX_BASIC_STATS
	}
	return liveMask
}

// forgive gives err, or nil where that says only that path has vanished, which
// is reported.
func (l *live) forgive(path string, why Why, err error) error {
	if l == nil || !isMoved(err) {
		return err
	}
	l.changes.add(path, why)
	return nil
}

// isMoved says whether err may come of a name that was removed, renamed or
// replaced: by another kind of object, by another inode, or by one without the
// attribute that was listed. ESTALE is what overlayfs says of a file that went
// from under it.
func isMoved(err error) bool {
	for _, sign := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENXIO, unix.ESTALE, unix.ENODATA, errChanged} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}

// watch makes n a name that may change.
func (l *live) watch(n *dirNode, st *stat) {
	if n.Link != (LinkKey{}) {
		// The inode's number alone would do only while somebody holds it open,
		// and a walk may see more links than it can hold.
		n.Link.Born, n.Link.Changed = nanoseconds(st.Btime), nanoseconds(st.Ctime)
	}
	if st.Mnt_id != l.mount && n.name != "." {
		n.mountPoint, n.Size, n.Open = true, 0, nil
	}
	born := st.Btime
	n.Xattrs = func(ctx context.Context) ([]Xattr, error) {
		attrs, err := n.readXattrs(ctx)
		return attrs, l.moved(n.Path, err)
	}
	if n.Open != nil {
		n.Open = func(ctx context.Context) (io.ReadCloser, error) {
			body, err := n.openLive(ctx, born)
			return body, l.moved(n.Path, err)
		}
	}
}

func nanoseconds(t unix.StatxTimestamp) int64 {
	return time.Unix(t.Sec, int64(t.Nsec)).UnixNano()
}

// moved makes a movedError of err where it is one.
func (l *live) moved(path string, err error) error {
	if err == nil || l == nil || !isMoved(err) {
		return err
	}
	return &movedError{path, err, &l.changes}
}

// openLive opens the file that the walk saw. The number of a file that was
// removed may have gone to the one in its place, but not its time of birth.
func (n *dirNode) openLive(ctx context.Context, born unix.StatxTimestamp) (io.ReadCloser, error) {
	opened, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	body := opened.(*fileBody)
	st, err := statxAt(body.fd, "", liveMask)
	if err == nil && st.Btime != born {
		err = errChanged
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %q: %w", n.Path, err), body.Close())
	}
	return &liveBody{fileBody: body, entry: &n.Entry, left: n.Size, told: &n.tree.live.changes}, nil
}

// liveBody is a file's content at exactly the size that its entry says.
type liveBody struct {
	*fileBody
	entry *Entry
	left  int64
	short bool
	told  *changes
}

func (b *liveBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.left)]
	n := 0
	if !b.short {
		var err error
		n, err = b.fileBody.Read(p)
		b.short = errors.Is(err, io.EOF)
		if err != nil && !b.short {
			return n, err
		}
	}
	if b.short {
		clear(p)
		n = len(p)
	}
	b.left -= int64(n)
	return n, nil
}

// Close says what happened to the file while it was read.
func (b *liveBody) Close() error {
	st, err := statAt(b.fd, "")
	if err != nil {
		return errors.Join(fmt.Errorf("looking at %q: %w", b.entry.Path, err), b.fileBody.Close())
	}
	mtime := time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec))
	switch {
	case b.short:
		b.told.add(b.entry.Path, Shrank)
	case int64(st.Size) > b.entry.Size:
		b.told.add(b.entry.Path, Grew)
	case !mtime.Equal(b.entry.MTime):
		b.told.add(b.entry.Path, Written)
	}
	return b.fileBody.Close()
}
