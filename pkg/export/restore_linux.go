package export

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// object is what metadata is set on: an open file or directory, or the name of
// something that must not be opened.
type object interface {
	chown(uid, gid int) error
	chmod(mode uint32) error
	setXattr(name string, value []byte) error
	removeXattr(name string) error
	setTimes(times []unix.Timespec) error
}

// opened is an object by its descriptor.
type opened int

func (o opened) chown(uid, gid int) error { return unix.Fchown(int(o), uid, gid) }
func (o opened) chmod(mode uint32) error  { return unix.Fchmod(int(o), mode) }

func (o opened) setXattr(name string, value []byte) error {
	return unix.Fsetxattr(int(o), name, value, 0)
}

func (o opened) removeXattr(name string) error { return unix.Fremovexattr(int(o), name) }

// setTimes gives no path, which means the descriptor: an empty one with
// AT_EMPTY_PATH came with Linux 5.8.
func (o opened) setTimes(times []unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(o), 0, uintptr(unsafe.Pointer(unsafe.SliceData(times))), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// named is an object by its name in a directory; a symlink is not followed.
type named struct {
	dirFD int
	name  string
}

func (o named) chown(uid, gid int) error {
	return unix.Fchownat(o.dirFD, o.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

// chmod is for devices and FIFOs that were made by mknodat a moment ago; older
// kernels know no flag to not follow here (fchmodat2 came with Linux 6.6).
func (o named) chmod(mode uint32) error { return unix.Fchmodat(o.dirFD, o.name, mode, 0) }

func (o named) setXattr(name string, value []byte) error {
	return unix.Lsetxattr(procPath(o.dirFD, o.name), name, value, 0)
}

func (o named) removeXattr(name string) error {
	return unix.Lremovexattr(procPath(o.dirFD, o.name), name)
}

func (o named) setTimes(times []unix.Timespec) error {
	return unix.UtimesNanoAt(o.dirFD, o.name, times, unix.AT_SYMLINK_NOFOLLOW)
}

// The attributes of ACLs (acl(5)).
const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
)

// disinherit takes away the ACLs that the root's default one gave to what was
// made in it just now: a directory's, before anything is made in that, so that
// what lies deeper inherits none.
func (d *Dir) disinherit(r *Record, o object) error {
	if !d.inherits || strings.Contains(r.Path, "/") {
		return nil
	}
	acls := []string{accessACL}
	if r.Type == Directory {
		acls = append(acls, defaultACL)
	}
	for _, acl := range acls {
		if err := o.removeXattr(acl); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("removing its inherited xattr %q: %w", acl, err)
		}
	}
	return nil
}

// restore sets what a record says of an object. The order matters: chown clears
// setuid bits and security.capability, the mode may take away the right to write
// that user attributes need (xattr(7)), ACLs change it, and everything but setting
// them changes times.
func (d *Dir) restore(r *Record, o object) error {
	if err := d.restoreOwner(r, o); err != nil {
		return err
	}
	if err := d.restoreXattrs(r, o, true); err != nil {
		return err
	}
	if r.Type != Symlink {
		if err := o.chmod(r.Mode); err != nil {
			return fmt.Errorf("setting its mode: %w", err)
		}
	}
	if err := d.restoreXattrs(r, o, false); err != nil {
		return err
	}
	mtime, err := unix.TimeToTimespec(r.MTime)
	if err == nil {
		err = o.setTimes([]unix.Timespec{mtime, mtime})
	}
	if err != nil {
		return fmt.Errorf("setting its times: %w", err)
	}
	return nil
}

// restoreXattrs sets the user attributes, or all others.
func (d *Dir) restoreXattrs(r *Record, o object, user bool) error {
	for _, x := range r.Attrs {
		if strings.HasPrefix(x.Name, "user.") != user {
			continue
		}
		err := o.setXattr(x.Name, x.Value)
		if d.options.NoSameOwner && cannotHold(x.Name, err) {
			d.skipped["xattr "+x.Name]++
			continue
		}
		if err != nil {
			return fmt.Errorf("setting its xattr %q: %w", x.Name, err)
		}
	}
	return nil
}

// cannotHold reports whether this user, or this filesystem, cannot hold an
// attribute. An ACL with an owner that the user namespace does not have is EINVAL.
func cannotHold(attr string, err error) bool {
	isACL := attr == accessACL || attr == defaultACL
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || isACL && errors.Is(err, unix.EINVAL)
}

func (d *Dir) restoreOwner(r *Record, o object) error {
	if d.options.NoSameOwner {
		if int(r.UID) != os.Geteuid() || int(r.GID) != os.Getegid() {
			d.skipped["owner"]++
		}
		return nil
	}
	if err := o.chown(int(r.UID), int(r.GID)); err != nil {
		return &OwnerError{UID: r.UID, GID: r.GID, Err: err}
	}
	return nil
}

// removeTries is how often removing is begun: what made writing fail may fail
// that, too, and pass.
const removeTries = 3

// Abort removes everything that is in the directory, and closes it.
func (d *Dir) Abort() error {
	err := d.removeBelow(d.dirs.root)
	for try := 1; err != nil && try < removeTries; try++ {
		err = d.removeBelow(d.dirs.root)
	}
	return errors.Join(err, d.dirs.close())
}

// removeBelow empties a directory. It holds no descriptor while it descends, so
// that any depth can be removed.
func (d *Dir) removeBelow(dir *directory) error {
	fd, err := d.dirs.acquire(dir)
	if err != nil {
		return err
	}
	names, err := readNames(fd)
	d.dirs.release(dir)
	if err != nil {
		return fmt.Errorf("listing directory %q: %w", dir.path, err)
	}
	for _, name := range names {
		if err := d.remove(dir, name.text); err != nil {
			return err
		}
		d.removed.Add(1)
	}
	return nil
}

func (d *Dir) remove(dir *directory, name string) error {
	below, err := d.unlink(dir, name)
	if err != nil || below == nil {
		return err
	}
	if err := d.removeBelow(below); err != nil {
		return err
	}
	fd, err := d.dirs.acquire(dir)
	if err != nil {
		return err
	}
	defer d.dirs.release(dir)
	if err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR); err != nil {
		return fmt.Errorf("removing %q: %w", dir.child(name), err)
	}
	return nil
}

// unlink removes a name, or gives the directory that has to be emptied first.
func (d *Dir) unlink(dir *directory, name string) (*directory, error) {
	fd, err := d.dirs.acquire(dir)
	if err != nil {
		return nil, err
	}
	defer d.dirs.release(dir)
	st, err := statAt(fd, name)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		err = unix.Unlinkat(fd, name, 0)
	default:
		// An image's directory may be closed to its own owner.
		if err = unix.Fchmodat(fd, name, 0o700, 0); err == nil {
			return newDirectory(dir, name, st.id()), nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("removing %q: %w", dir.child(name), err)
	}
	return nil, nil
}
