package rootfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	lostAndFound = "lost+found"
	// Inodes that ext2, ext3 and ext4 always have (Linux,
	// Documentation/filesystems/ext4/special_inodes.rst): the root, and the
	// first that is not reserved, which mkfs gives to lost+found.
	extRootInode, extFirstInode = 2, 11
)

// Foreign lists the names in root that are not the image's, but belong to the
// filesystem that the snapshotter made for it: the lost+found of blockfile's
// and devmapper's ext4. One that has anything in it, or that a layer names, is
// the image's: its time is then another than that of its making.
func Foreign(root *os.File) ([]string, error) {
	dir := int(root.Fd())
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil {
		return nil, fmt.Errorf("reading the root's filesystem: %w", err)
	}
	if fs.Type != unix.EXT4_SUPER_MAGIC {
		return nil, nil
	}
	top, err := stat(dir, ".")
	if err != nil || top.Ino != extRootInode {
		return nil, err
	}
	found, err := stat(dir, lostAndFound)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	asMade := found.Ino == extFirstInode && found.Mode == unix.S_IFDIR|0o700 && found.Uid == 0 && found.Gid == 0 &&
		found.Btime == found.Mtime
	if !asMade {
		return nil, nil
	}
	return []string{lostAndFound}, nil
}

func stat(dir int, name string) (st unix.Statx_t, err error) {
	err = unix.Statx(dir, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if err != nil {
		err = fmt.Errorf("reading %q of the root: %w", name, err)
	}
	return st, err
}
