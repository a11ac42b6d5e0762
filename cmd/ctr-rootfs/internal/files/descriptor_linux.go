package files

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symlinks the kernel follows (path_resolution(7)).
const maxLinks = 40

// openDescriptor gives a duplicate of this process's own descriptor that name
// leads to, as /dev/stdout, /dev/stderr and /dev/fd/N do; nil where it leads to
// none. Opened by its name, a file would be written from its beginning, and one
// that has no name could not be replaced.
func openDescriptor(name string) (*os.File, error) {
	own := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd"
	at := name
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(at))
		if err != nil {
			return nil, nil //nolint:nilerr // who opens it tells why
		}
		if fd, err := strconv.Atoi(filepath.Base(at)); dir == own && err == nil {
			again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return nil, fmt.Errorf("writing %q: %w", name, err)
			}
			return os.NewFile(uintptr(again), name), nil
		}
		target, err := os.Readlink(filepath.Join(dir, filepath.Base(at)))
		if err != nil {
			return nil, nil //nolint:nilerr // it is no symlink
		}
		if !filepath.IsAbs(target) {
			target = dir + "/" + target
		}
		at = target
	}
	return nil, nil
}
