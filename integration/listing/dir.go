package listing

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// OfDir describes what lies below dir, without dir's own entry. It follows no
// symlink, opens regular files only, and wants root.
func OfDir(dir string) (Listing, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", dir, err)
	}
	var w walker
	if err := w.directory(fd, ""); err != nil {
		return nil, err
	}
	slices.SortFunc(w.out, func(a, b Entry) int { return Compare(a.Path, b.Path) })
	return w.out.Regroup(), nil
}

type walker struct {
	out Listing
}

// directory describes what the directory holds, and closes fd.
func (w *walker) directory(fd int, path string) error {
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("reading directory %q: %w", path, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.entry(fd, name, strings.TrimPrefix(path+"/"+name, "/")); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(dir int, name, path string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	e := Entry{
		Path: path, Type: typeOf(st.Mode), Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid,
		Sec: st.Mtim.Sec, Nsec: st.Mtim.Nsec,
	}
	// The group is the inode for now; Regroup names it by its first path.
	if st.Nlink > 1 && e.Type != "dir" {
		e.Group = fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	var err error
	if e.Xattrs, err = readXattrs(fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)); err != nil {
		return fmt.Errorf("reading xattrs of %q: %w", path, err)
	}
	switch e.Type {
	case "file":
		e.Size = st.Size
		e.SHA256, err = hashFile(dir, name)
	case "symlink":
		e.Target, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d/%s", dir, name))
	case "char", "block":
		e.Device = fmt.Sprintf("%d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	if err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	w.out = append(w.out, e)
	if e.Type != "dir" {
		return nil
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %q: %w", path, err)
	}
	return w.directory(fd, path)
}

func typeOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFCHR:
		return "char"
	case unix.S_IFBLK:
		return "block"
	case unix.S_IFIFO:
		return "fifo"
	default:
		return "socket"
	}
}

func hashFile(dir int, name string) (string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// readXattrs reads every attribute of what path names, itself.
func readXattrs(path string) (map[string]string, error) {
	// 64 KiB is the kernel's limit for a list and for a value, XATTR_LIST_MAX
	// and XATTR_SIZE_MAX.
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	xattrs := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		n, err := unix.Lgetxattr(path, name, buf)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		xattrs[name] = string(buf[:n])
	}
	return xattrs, nil
}
