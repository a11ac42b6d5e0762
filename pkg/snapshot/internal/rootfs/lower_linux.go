package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// OpenLower gives the layers of the overlay that mounts would be, the topmost
// first, to be read as they lie: their names below a directory, which is opened.
// It is nil where mounts are no overlay or one with options that say more than
// which layers it has, and where this process would not see which directories
// are opaque.
func OpenLower(mounts []mount.Mount) (*os.File, []string, error) {
	if len(mounts) != 1 || mounts[0].Type != "overlay" {
		return nil, nil, nil
	}
	lower := plainLower(mounts[0].Options)
	if len(lower) < 2 {
		return nil, nil, nil
	}
	if sees, err := seesTrusted(); err != nil || !sees {
		return nil, nil, err
	}
	top := commonDir(lower)
	names := make([]string, len(lower))
	for i, layer := range lower {
		names[i] = strings.TrimPrefix(layer[len(top):], "/")
	}
	dir, err := openDir(top)
	return dir, names, err
}

// plainLower gives the layers, if options say nothing else that matters for
// reading.
func plainLower(options []string) (lower []string) {
	for _, option := range options {
		switch key, value, _ := strings.Cut(option, "="); key {
		case "lowerdir":
			lower = SplitLayers(value)
		case "ro", "xino", "index":
			// The numbers of inodes, and writing.
		default:
			return nil
		}
	}
	for _, layer := range lower {
		if !filepath.IsAbs(layer) || filepath.Clean(layer) != layer {
			return nil // a name for data alone ("::") is empty
		}
	}
	return lower
}

// commonDir is the nearest directory that has all of these in it.
func commonDir(paths []string) string {
	dir := filepath.Dir(paths[0])
	for _, path := range paths[1:] {
		for !strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") {
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

// initialUserNamespace is the initial user namespace's inode (Linux,
// PROC_USER_INIT_INO of include/uapi/linux/nsfs.h).
const initialUserNamespace = "user:[4026531837]"

// seesTrusted says whether this process is shown attributes named trusted.*
// (xattr(7)): to others a directory that is opaque looks like any.
func seesTrusted() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, fmt.Errorf("reading this process's capabilities: %w", err)
	}
	if data[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return false, nil
	}
	// Without /proc it is not known.
	namespace, _ := os.Readlink("/proc/self/ns/user")
	return namespace == initialUserNamespace, nil
}
