package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// Detachable says whether Open needs no mount, or only one that it can
// make without a mount point.
func Detachable(mounts []mount.Mount) bool {
	if len(mounts) != 1 {
		return false
	}
	m := mounts[0]
	return isBind(m) || m.Type == "overlay" && !IDMapped(m)
}

func isBind(m mount.Mount) bool {
	if m.Type != "bind" && m.Type != "rbind" && m.Type != "" {
		return false
	}
	return !IDMapped(m)
}

// Open gives the root directory of mounts, as a descriptor that holds
// whatever had to be mounted. No mount namespace that anyone else is in ever
// shows it, and it is gone with the descriptor. Where this process may not
// mount, the error is a MountDeniedError.
func Open(ctx context.Context, mounts []mount.Mount) (*os.File, error) {
	root, err := mountedRoot(ctx, mounts)
	var source *SourceError
	if errors.Is(err, fs.ErrPermission) && !errors.As(err, &source) {
		err = &MountDeniedError{err}
	}
	return root, err
}

func mountedRoot(ctx context.Context, mounts []mount.Mount) (*os.File, error) {
	if len(mounts) == 0 {
		return nil, errors.New("the snapshotter gave no mounts")
	}
	if !Detachable(mounts) {
		return openInNamespace(ctx, func(target string) error { return mountAll(mounts, target) })
	}
	m := mounts[0]
	if isBind(m) {
		return openDir(m.Source)
	}
	layers, err := parseOverlay(m.Options)
	if err != nil {
		return nil, err
	}
	if len(layers.lower) == 1 {
		// Overlayfs wants two; one is what it holds, as it is.
		return openDir(layers.lower[0])
	}
	root, err := layers.detached()
	if err == nil || !tooOld(err) {
		return root, err
	}
	root, nerr := openInNamespace(ctx, layers.mountAt)
	if nerr != nil {
		return nil, fmt.Errorf("%w; and without fsopen: %w", err, nerr)
	}
	return root, nil
}

// IsEmpty says whether nothing is in a directory in root, "." for root itself.
func IsEmpty(root *os.File, name string) (bool, error) {
	fd, err := unix.Openat(int(root.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	_, err = dir.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

const openDirFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

func openDir(path string) (*os.File, error) {
	fd, err := unix.Open(path, openDirFlags, 0)
	if err != nil {
		return nil, &SourceError{Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
