package rootfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// OpenTask opens the root that a container's task sees, for reading only; nil where
// no mount of it is to be seen from here, and its snapshot will do.
func OpenTask(t Task) (*os.File, error) {
	// Where the daemon keeps its state differs from host to host, and is
	// elsewhere again in a pod; what is below it does not.
	end := path.Join("/io.containerd.runtime.v2.task", t.Namespace, t.ID, "rootfs")
	found, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !strings.HasSuffix(m.Mountpoint, end) || !t.sees(m), false
	})
	if err != nil {
		return nil, fmt.Errorf("reading the mounts of this host: %w", err)
	}
	if len(found) > 0 {
		return openMounted(t.likeliest(found))
	}
	if !path.IsAbs(t.Dir) {
		return nil, nil
	}
	root, err := OpenDirectory(t)
	var source *SourceError
	if errors.As(err, &source) && len(t.Mounts) > 0 {
		return nil, nil
	}
	return root, err
}

// OpenDirectory opens the root directory that a container's config.json names, for
// reading only. Where its process runs, that must be the process's root: something
// else may lie at that path here.
func OpenDirectory(t Task) (*os.File, error) {
	dir, err := t.openDir()
	if err != nil {
		return nil, err
	}
	if t.PID != 0 && !t.hasRoot(dir) {
		return nil, errors.Join(t.because(ErrNotTaskRoot), dir.Close())
	}
	root, err := alone(dir)
	if err != nil || t.PID != 0 {
		return root, err
	}
	// Where a container's root was mounted, an empty directory stays behind.
	empty, err := IsEmpty(root, ".")
	if empty {
		err = ErrNothingThere
	}
	if err != nil {
		return nil, errors.Join(t.because(err), root.Close())
	}
	return root, nil
}

func (t Task) because(err error) error {
	return &SourceError{Path: t.Dir, HostRoot: t.HostRoot, Err: err}
}

// openDir opens Dir, which must not be the host's own root. Where no process says what
// its root is, no symlink may lead there: another user, who owns a directory above it,
// could have put one in its place since. runc does not start such a container.
func (t Task) openDir() (*os.File, error) {
	host, err := openDir(cmp.Or(t.HostRoot, "/"))
	if err != nil {
		return nil, err
	}
	defer host.Close()
	how := unix.OpenHow{Flags: openDirFlags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	if t.PID == 0 {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	fd, err := unix.Openat2(int(host.Fd()), t.Dir, &how)
	switch {
	case errors.Is(err, unix.ENOSYS) && t.PID != 0 && t.HostRoot == "": // before Linux 5.6
		fd, err = unix.Open(t.Dir, openDirFlags, 0)
	case errors.Is(err, unix.ELOOP) && t.PID == 0:
		err = ErrLinkedRoot
	}
	if err != nil {
		return nil, t.because(err)
	}
	dir := os.NewFile(uintptr(fd), t.Dir)
	if err := checkNotHostRoot(dir, host); err != nil {
		return nil, errors.Join(t.because(err), dir.Close())
	}
	return dir, nil
}

func checkNotHostRoot(dir, host *os.File) error {
	var is, root unix.Stat_t
	if err := errors.Join(unix.Fstat(int(dir.Fd()), &is), unix.Fstat(int(host.Fd()), &root)); err != nil {
		return err
	}
	if is.Dev == root.Dev && is.Ino == root.Ino {
		return ErrHostRoot
	}
	return nil
}

// hasRoot says whether dir is the root of the task's process. It is false where the
// process has ended, or cannot be seen: in a pod, it is looked for among those of the
// daemon's host.
func (t Task) hasRoot(dir *os.File) bool {
	if t.PID == 0 {
		return false
	}
	var is, want unix.Stat_t
	link := path.Join(cmp.Or(t.HostRoot, "/"), "proc", strconv.FormatUint(uint64(t.PID), 10), "root")
	if unix.Stat(link, &want) != nil || unix.Fstat(int(dir.Fd()), &is) != nil {
		return false
	}
	return is.Dev == want.Dev && is.Ino == want.Ino
}

// likeliest is where the task's root is mounted, of several mounts: where the process
// has it, as any user can mount a FUSE filesystem at a path with such an end. Where no
// process is to be seen, the one that was mounted last lies on top.
func (t Task) likeliest(found []*mountinfo.Info) string {
	for _, m := range slices.Backward(found) {
		if len(found) > 1 && t.hasRootAt(m.Mountpoint) {
			return m.Mountpoint
		}
	}
	return found[len(found)-1].Mountpoint
}

// sees says whether m may be the root that the task sees: another daemon may have a
// container of the same name.
func (t Task) sees(m *mountinfo.Info) bool {
	if len(t.Mounts) > 0 {
		return shows(m, t.Mounts)
	}
	return t.hasRootAt(m.Mountpoint)
}

func (t Task) hasRootAt(mountpoint string) bool {
	dir, err := openDir(mountpoint)
	if err != nil {
		return false
	}
	defer dir.Close()
	return t.hasRoot(dir)
}

// shows says whether m may be made of mounts.
func shows(m *mountinfo.Info, mounts []mount.Mount) bool {
	for _, option := range mounts[len(mounts)-1].Options {
		if strings.HasPrefix(option, "upperdir=/") {
			return slices.Contains(strings.Split(m.VFSOptions, ","), option)
		}
	}
	return true
}

// openMounted opens what is mounted at name, as a mount of its own: a
// descriptor of the daemon's would keep the daemon from unmounting it when the
// task ends. What is mounted below name does not come along. It is nil where
// nothing is mounted there any more.
func openMounted(name string) (*os.File, error) {
	dir, err := openDir(name)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if mounted, err := isMountRoot(dir); err != nil || !mounted {
		return nil, errors.Join(err, dir.Close())
	}
	return alone(dir)
}

// alone gives dir as a mount of its own, and takes dir over.
func alone(dir *os.File) (*os.File, error) {
	root, err := detachedCopy(dir)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		// Without CAP_SYS_ADMIN, before Linux 5.12, or where dir is in another mount
		// namespace (/proc/1/root), the mount that dir is in has to do.
		return dir, nil
	}
	return root, errors.Join(err, dir.Close())
}

// detachedCopy gives the mount that dir is in once more, from dir on, read-only and
// in no mount namespace.
func detachedCopy(dir *os.File) (*os.File, error) {
	fd, err := unix.OpenTree(int(dir.Fd()), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return nil, fmt.Errorf("copying the mount %q: %w", dir.Name(), err)
	}
	attr := unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOATIME,
		Attr_clr:    unix.MOUNT_ATTR__ATIME,
		Propagation: unix.MS_PRIVATE,
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return nil, errors.Join(fmt.Errorf("making a copy of the mount %q read-only: %w", dir.Name(), err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), dir.Name()), nil
}
