package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// errChanged is for a name that stands for another object than when it was
// first seen.
var errChanged = errors.New("it changed while it was read")

// stat is what statx says of a name, a symlink not followed.
type stat struct{ unix.Statx_t }

// statAt looks at a name in a directory, or at the descriptor itself where name
// is empty. Nothing is opened and no automount is set off.
func statAt(fd int, name string) (stat, error) {
	return statxAt(fd, name, unix.STATX_BASIC_STATS)
}

func statxAt(fd int, name string, mask int) (stat, error) {
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_EMPTY_PATH
	var st stat
	err := unix.Statx(fd, name, flags, mask, &st.Statx_t)
	return st, err
}

// statOpened looks at an open file: fstat(2) takes no name, which would have to
// be made for each file.
func statOpened(fd int) (st openedStat, err error) {
	err = unix.Fstat(fd, &st.Stat_t)
	return st, err
}

// openedStat is what fstat says.
type openedStat struct{ unix.Stat_t }

func (st *openedStat) id() LinkKey { return LinkKey{Device: st.Dev, Inode: st.Ino} }

// stat is the same as statx(2) would say it, but for what fstat does not know.
func (st *openedStat) stat() (s stat) {
	s.Mode, s.Uid, s.Gid = uint16(st.Mode), st.Uid, st.Gid
	s.Size, s.Nlink, s.Ino = uint64(st.Size), uint32(min(st.Nlink, 1<<31)), st.Ino
	s.Dev_major, s.Dev_minor = unix.Major(st.Dev), unix.Minor(st.Dev)
	s.Mtime = unix.StatxTimestamp{Sec: int64(st.Mtim.Sec), Nsec: uint32(st.Mtim.Nsec)}
	return s
}

func (st *stat) id() LinkKey {
	return LinkKey{Device: unix.Mkdev(st.Dev_major, st.Dev_minor), Inode: st.Ino}
}

func (st *stat) fileType() (Type, error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return Regular, nil
	case unix.S_IFDIR:
		return Directory, nil
	case unix.S_IFLNK:
		return Symlink, nil
	case unix.S_IFCHR:
		return CharDevice, nil
	case unix.S_IFBLK:
		return BlockDevice, nil
	case unix.S_IFIFO:
		return FIFO, nil
	case unix.S_IFSOCK:
		return Socket, nil
	}
	return 0, fmt.Errorf("file mode %#o is of no known type", st.Mode)
}

// fill copies what an Entry says from st, all but path and target.
func (st *stat) fill(e *Entry) error {
	kind, err := st.fileType()
	if err != nil {
		return err
	}
	e.Type = kind
	e.Mode = uint32(st.Mode) & 0o7777
	e.UID, e.GID = st.Uid, st.Gid
	e.MTime = time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)).UTC()
	switch kind {
	case Regular:
		if e.Size = int64(st.Size); e.Size < 0 {
			return fmt.Errorf("its size of %d bytes is out of range", st.Size)
		}
	case CharDevice, BlockDevice:
		e.RdevMajor, e.RdevMinor = st.Rdev_major, st.Rdev_minor
	}
	if kind != Directory && st.Nlink > 1 {
		e.Link = st.id()
	}
	return nil
}

// openNoAtime opens a name in a directory for reading, a symlink never, and
// leaves the access time alone where the kernel lets this user (open(2): the
// owner, or CAP_FOWNER).
func openNoAtime(dirFD int, name string, flags int) (int, error) {
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openRetrying(dirFD, name, flags|unix.O_NOATIME)
	if errors.Is(err, unix.EPERM) {
		fd, err = openRetrying(dirFD, name, flags)
	}
	return fd, err
}

func openRetrying(dirFD int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dirFD, name, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// readlinkAt reads a symlink of any length.
func readlinkAt(dirFD int, name string) (string, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dirFD, name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// fileBody is an open regular file. os.File would register each one with the
// runtime's poller, for nothing.
type fileBody struct {
	fd   int
	node *dirNode
	got  int64
	// ended says that the file ends where its entry says: the kernel gave less
	// than it was asked for, and no further call has to be spent on that.
	ended bool
}

func (b *fileBody) Read(p []byte) (int, error) {
	for len(p) > 0 && !b.ended {
		n, err := unix.Read(b.fd, p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, &ReadError{"reading", b.node.Path, err}
		case n == 0:
			return 0, io.EOF
		}
		b.got += int64(n)
		b.ended = n < len(p) && b.got == b.node.Size
		return n, nil
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, io.EOF
}

func (b *fileBody) Close() error {
	if b.fd < 0 {
		return fs.ErrClosed
	}
	fd := b.fd
	b.fd = -1
	b.node.opened = nil
	if err := unix.Close(fd); err != nil {
		return &ReadError{"closing", b.node.Path, err}
	}
	return nil
}
