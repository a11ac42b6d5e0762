package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// OnHost gives mounts by the names that their sources have here, where the
// root of the daemon's host is at hostRoot; empty where that is ours, too.
func OnHost(hostRoot string, mounts []mount.Mount) ([]mount.Mount, error) {
	if hostRoot == "" {
		return mounts, nil
	}
	dir, err := openDir(hostRoot)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	host := hostDir{dir}
	here := Cloned(mounts)
	for i := range here {
		m := &here[i]
		if m.Source, err = host.name(m.Source); err != nil {
			return nil, err
		}
		for j, option := range m.Options {
			if m.Options[j], err = host.option(option); err != nil {
				return nil, err
			}
		}
	}
	return here, nil
}

// hostDir is the root directory of the daemon's host, seen from elsewhere.
type hostDir struct{ *os.File }

// name gives what a path of the host is called here. A symlink, absolute ones
// included, leads to where it leads on the host (openat2(2), RESOLVE_IN_ROOT):
// /var/lib/containerd is one on many nodes. What is no path stays as it is.
func (h hostDir) name(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return path, nil
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(h.Fd()), path, &how)
	if err != nil {
		return "", &SourceError{Path: path, HostRoot: h.Name(), Err: err}
	}
	found := os.NewFile(uintptr(fd), path)
	defer found.Close()
	name, err := os.Readlink(descriptorPath(found))
	if err != nil {
		return "", fmt.Errorf("finding %q below %q: %w", path, h.Name(), err)
	}
	return name, nil
}

// option gives an overlay's option by the names that its directories have here.
func (h hostDir) option(option string) (string, error) {
	key, value, _ := strings.Cut(option, "=")
	var layers []string
	switch key {
	case "lowerdir":
		layers = SplitLayers(value)
	case "upperdir":
		layers = []string{value}
	default:
		return option, nil
	}
	for i, layer := range layers {
		name, err := h.name(layer)
		if err != nil {
			return "", err
		}
		if key == "lowerdir" {
			name = escapeLayer(name)
		}
		layers[i] = name
	}
	return key + "=" + strings.Join(layers, ":"), nil
}

// CheckSeen says whether what the daemon has mounted at root is mounted there
// for this process, too. Where it is not, the directory below is there and is
// empty, which would pass for an image without files.
func CheckSeen(root *os.File) error {
	mounted, err := isMountRoot(root)
	if err != nil || mounted {
		return err
	}
	return &PropagationError{Path: root.Name()}
}

// isMountRoot says whether something is mounted at dir; yes where the kernel
// does not say (before Linux 5.8).
func isMountRoot(dir *os.File) (bool, error) {
	var st unix.Statx_t
	if err := unix.Statx(int(dir.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &st); err != nil {
		return false, fmt.Errorf("looking at %q: %w", dir.Name(), err)
	}
	return st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}
