package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// DirOptions change how a directory is written. The zero value restores
// everything, and fails where that is not allowed.
type DirOptions struct {
	// NoSameOwner lets everything belong to who writes it, as in tar's
	// --no-same-owner. Devices and attributes that this user may not set are
	// left out and counted.
	NoSameOwner bool
}

// Dir is a Sink that writes a directory.
type Dir struct {
	dirs     *dirCache
	options  DirOptions
	inherits bool                  // what is made in the root gets its default ACL
	above    []*dirRecord          // directories whose owner, mode and times are not set yet
	firsts   map[LinkKey]*dirEntry // where hard links can point to
	skipped  map[string]int64
	buf      []byte
	removed  atomic.Int64
}

// dirRecord is a directory that is being filled.
type dirRecord struct {
	*Record
	dir *directory
}

// dirEntry is a name in a directory that was written.
type dirEntry struct {
	dir  *directory
	name string
}

// NewDir writes into the directory root, which must be empty and is taken over:
// Close and Abort close it. Everything is made below its descriptor and never
// through a symlink. Directories have their modes and times once they are left.
// Abort removes everything that is in root, and leaves root.
func NewDir(root *os.File, o DirOptions) (*Dir, error) {
	fd, err := unix.FcntlInt(root.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if closeErr := root.Close(); err != nil || closeErr != nil {
		return nil, fmt.Errorf("taking over the directory: %w", errors.Join(err, closeErr))
	}
	names, err := readNames(fd)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("it is not empty (it has %q)", names[0].text)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	_, err = unix.Fgetxattr(fd, defaultACL, nil)
	inherits := err == nil
	if !inherits && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
		return nil, errors.Join(fmt.Errorf("reading xattr %q of the output: %w", defaultACL, err), unix.Close(fd))
	}
	return &Dir{
		dirs:     newDirCache(fd),
		options:  o,
		inherits: inherits,
		firsts:   make(map[LinkKey]*dirEntry),
		skipped:  make(map[string]int64),
		buf:      make([]byte, smallFile),
	}, nil
}

// Skipped counts what the directory could not hold: "owner", "device" and
// "xattr NAME". It is empty but with NoSameOwner.
func (d *Dir) Skipped() map[string]int64 { return d.skipped }

// Removed counts the names that Abort has removed so far. It may be called beside
// Abort.
func (d *Dir) Removed() int64 { return d.removed.Load() }

// Put makes one name.
func (d *Dir) Put(ctx context.Context, r *Record) error {
	if err := d.leave(r.Path); err != nil {
		return err
	}
	parent, name := d.dirs.root, r.Path
	if n := len(d.above); n > 0 {
		parent, name = d.above[n-1].dir, r.Path[len(d.above[n-1].Path)+1:]
	}
	err := d.put(ctx, r, &dirEntry{parent, name})
	if err != nil {
		return fmt.Errorf("writing %q: %w", r.Path, err)
	}
	return nil
}

func (d *Dir) put(ctx context.Context, r *Record, at *dirEntry) error {
	fd, err := d.dirs.acquire(at.dir)
	if err != nil {
		return err
	}
	defer d.dirs.release(at.dir)
	if r.LinkTo != "" {
		return d.link(r, fd, at.name)
	}
	if r.Link != (LinkKey{}) {
		d.firsts[r.Link] = at
	}
	switch r.Type {
	case Directory:
		return d.makeDirectory(r, fd, at)
	case Regular:
		return d.makeFile(ctx, r, fd, at.name)
	case Symlink:
		if err := unix.Symlinkat(r.Target, fd, at.name); err != nil {
			return err
		}
	default:
		made, err := d.makeNode(r, fd, at.name)
		if err != nil || !made {
			return err
		}
		if err := d.disinherit(r, named{fd, at.name}); err != nil {
			return err
		}
	}
	return d.restore(r, named{fd, at.name})
}

func (d *Dir) link(r *Record, fd int, name string) error {
	first := d.firsts[r.Link]
	if first == nil { // a device that was left out
		d.skipped["device"]++
		return nil
	}
	firstFD, err := d.dirs.acquire(first.dir)
	if err != nil {
		return err
	}
	defer d.dirs.release(first.dir)
	return unix.Linkat(firstFD, first.name, fd, name, 0)
}

func (d *Dir) makeDirectory(r *Record, fd int, at *dirEntry) error {
	// Only its owner can look in until it is whole.
	if err := unix.Mkdirat(fd, at.name, 0o700); err != nil {
		return err
	}
	if err := d.disinherit(r, named{fd, at.name}); err != nil {
		return err
	}
	st, err := statAt(fd, at.name)
	if err != nil {
		return err
	}
	kept := *r // Write uses the Record again
	d.above = append(d.above, &dirRecord{&kept, newDirectory(at.dir, at.name, st.id())})
	return nil
}

func (d *Dir) makeFile(ctx context.Context, r *Record, dirFD int, name string) error {
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dirFD, name, flags, 0o600)
	if err != nil {
		return err
	}
	err = d.disinherit(r, opened(fd))
	if err == nil && r.Size > 0 {
		err = copyBody(ctx, r, &fileWriter{fd: fd, buf: d.buf})
	}
	if err == nil {
		err = d.restore(r, opened(fd))
	}
	return errors.Join(err, unix.Close(fd))
}

// The largest device number that Linux has (linux/kdev_t.h).
const maxMajor, maxMinor = 1<<12 - 1, 1<<20 - 1

// makeNode makes a device or FIFO.
func (d *Dir) makeNode(r *Record, fd int, name string) (made bool, err error) {
	var kind uint32
	switch r.Type {
	case CharDevice:
		kind = unix.S_IFCHR
	case BlockDevice:
		kind = unix.S_IFBLK
	case FIFO:
		kind = unix.S_IFIFO
	default:
		return false, fmt.Errorf("a %s cannot be made", r.Type)
	}
	// mknod(2) takes 32 bits, and what is above them would be another device:
	// 4096:0 is cut to 0:0, overlayfs's whiteout.
	if r.RdevMajor > maxMajor || r.RdevMinor > maxMinor {
		err = fmt.Errorf("device number %d:%d is out of range: %w", r.RdevMajor, r.RdevMinor, unix.EINVAL)
	} else {
		err = unix.Mknodat(fd, name, kind|0o600, int(unix.Mkdev(r.RdevMajor, r.RdevMinor)))
	}
	if d.options.NoSameOwner && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL)) {
		d.skipped["device"]++
		delete(d.firsts, r.Link)
		return false, nil
	}
	return err == nil, err
}

// leave completes the directories that path is not in.
func (d *Dir) leave(path string) error {
	for n := len(d.above); n > 0; n-- {
		last := d.above[n-1]
		if isBelow(path, last.Path) {
			return nil
		}
		d.above = d.above[:n-1]
		fd, err := d.dirs.acquire(last.dir)
		if err == nil {
			err = d.restore(last.Record, opened(fd))
			d.dirs.release(last.dir)
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", last.Path, err)
		}
	}
	return nil
}

// Close completes the directories that are still open. Where that fails, Abort
// still has them to remove.
func (d *Dir) Close() error {
	if err := d.leave(""); err != nil {
		return err
	}
	// Nothing was written through these descriptors, and all is done: there is
	// nothing that closing them could lose.
	_ = d.dirs.close()
	return nil
}

// fileWriter writes a body from the sink's buffer.
type fileWriter struct {
	fd  int
	buf []byte
}

func (w *fileWriter) room() ([]byte, error) { return w.buf, nil }

// lose: nothing is put any more after an error.
func (w *fileWriter) lose() {}

func (w *fileWriter) took(n int) error {
	for p := w.buf[:n]; len(p) > 0; {
		n, err := unix.Write(w.fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
