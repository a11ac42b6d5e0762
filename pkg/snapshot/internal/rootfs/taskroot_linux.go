package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// OpenTask opens the root that a container's task sees, for reading only;
// nil where no mount of it is to be seen from here. mounts are its snapshot's.
func OpenTask(namespace, id string, mounts []mount.Mount) (*os.File, error) {
	// Where the daemon keeps its state differs from host to host, and is
	// elsewhere again in a pod; what is below it does not.
	end := path.Join("/io.containerd.runtime.v2.task", namespace, id, "rootfs")
	found, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !strings.HasSuffix(m.Mountpoint, end) || !shows(m, mounts), false
	})
	if err != nil {
		return nil, fmt.Errorf("reading the mounts of this host: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	// The one that was mounted last lies on top.
	return openMounted(found[len(found)-1].Mountpoint)
}

// shows says whether m may be made of mounts: another daemon may have a
// container of the same name.
func shows(m *mountinfo.Info, mounts []mount.Mount) bool {
	if len(mounts) == 0 {
		return false
	}
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
	alone, err := detachedCopy(dir)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		// Without CAP_SYS_ADMIN, or before Linux 5.12, the daemon's own has to do.
		return dir, nil
	}
	return alone, errors.Join(err, dir.Close())
}

// detachedCopy gives the mount that dir is the root of once more, read-only and
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
