package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tooOld says whether err may mean that the kernel cannot build an overlay
// without a mount point: fsopen(2) came with Linux 5.2, and overlayfs's
// "lowerdir+" with 6.7; before, it is refused as any unknown option is, when
// it is given or only at the end.
func tooOld(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

// overlayMount is what makes up an overlay that is only read.
type overlayMount struct {
	// lower are the layers' directories, the topmost first.
	lower []string
	// options are further ones of overlayfs, "key" or "key=value".
	options []string
}

// stableInodes keeps the inode numbers of directories the same when the kernel
// forgets them and reads them again, also where the layers lie on several
// filesystems: a walk that comes back to a directory compares them.
const stableInodes = "xino=on"

// parseOverlay reads the mount options of a snapshotter. An upper directory
// becomes the topmost layer: a snapshot is read, never mounted writable.
func parseOverlay(options []string) (overlayMount, error) {
	var o overlayMount
	var upper []string
	for _, option := range options {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "lowerdir":
			o.lower = append(o.lower, SplitLayers(value)...)
		case "upperdir":
			upper = []string{value}
		case "workdir", "volatile", "ro", "rw":
			// They are about writing.
		case "xino":
			// See stableInodes.
		default:
			o.options = append(o.options, option)
		}
	}
	o.lower = append(upper, o.lower...)
	o.options = append(o.options, stableInodes)
	if len(o.lower) == 0 {
		return o, fmt.Errorf("parsing overlay options %q: no layers", options)
	}
	return o, nil
}

// detached builds the overlay as a mount in no namespace at all.
func (o overlayMount) detached() (_ *os.File, err error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening overlayfs: %w", err)
	}
	defer unix.Close(fs)
	for _, layer := range o.lower {
		if err := addLayer(fs, layer); err != nil {
			return nil, err
		}
	}
	for _, option := range o.options {
		if err := addOption(fs, option); err != nil {
			return nil, fmt.Errorf("setting overlay option %q: %w", option, explained(fs, err))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("creating an overlay of %d layers: %w", len(o.lower), explained(fs, err))
	}
	const attrs = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOATIME
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return nil, fmt.Errorf("mounting an overlay of %d layers: %w", len(o.lower), err)
	}
	return os.NewFile(uintptr(root), "rootfs"), nil
}

// addLayer names a layer by a descriptor, since fsconfig(2) takes no value
// over 255 bytes. The kernel resolves it at once.
func addLayer(fs int, layer string) error {
	dir, err := openDir(layer)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.FsconfigSetString(fs, "lowerdir+", descriptorPath(dir)); err != nil {
		return fmt.Errorf("adding overlay layer %q: %w", layer, explained(fs, err))
	}
	return nil
}

func addOption(fs int, option string) error {
	key, value, valued := strings.Cut(option, "=")
	if valued {
		return unix.FsconfigSetString(fs, key, value)
	}
	return unix.FsconfigSetFlag(fs, key)
}

// explained adds what the kernel logged to a filesystem context, which says
// more than an errno.
func explained(fs int, err error) error {
	buf := make([]byte, 512)
	n, rerr := unix.Read(fs, buf)
	if rerr != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.TrimSpace(string(buf[:n])))
}

func descriptorPath(f *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
}

// mountAt mounts the overlay the old way. The layers are named relative to
// the directory of descriptors, since mount(2) takes a page of options: that
// is enough for the 500 layers that overlayfs allows.
func (o overlayMount) mountAt(target string) error {
	var names []string
	for _, layer := range o.lower {
		dir, err := openDir(layer)
		if err != nil {
			return err
		}
		defer dir.Close()
		names = append(names, strconv.Itoa(int(dir.Fd())))
	}
	// This thread's working directory is its own by now.
	if err := unix.Chdir("/proc/self/fd"); err != nil {
		return fmt.Errorf("entering /proc/self/fd: %w", err)
	}
	options := append([]string{"lowerdir=" + strings.Join(names, ":")}, o.options...)
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME
	if err := unix.Mount("overlay", target, "overlay", flags, strings.Join(options, ",")); err != nil {
		return fmt.Errorf("mounting an overlay of %d layers: %w", len(o.lower), err)
	}
	return nil
}
