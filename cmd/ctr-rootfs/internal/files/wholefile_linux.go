package files

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// umask is the process's own: it can only be read by setting it, which must
// happen before anything else runs.
var umask = func() os.FileMode {
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return os.FileMode(mask)
}()

// openUnnamed opens a file without a name in dir; errors.ErrUnsupported where
// the filesystem has no such files, and where none could be given a name.
func openUnnamed(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch {
	case errors.Is(err, unix.EISDIR):
		// What a kernel says that does not know O_TMPFILE (open(2)).
		return nil, errors.ErrUnsupported
	case err != nil:
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir)
	if _, err := os.Lstat(nameOf(f)); err != nil {
		// There is no /proc: better a temporary name than to fail at the end.
		return nil, errors.Join(errors.ErrUnsupported, f.Close())
	}
	return f, nil
}

// linkUnnamed gives a file from openUnnamed a name, which must be free.
func linkUnnamed(f *os.File, name string) error {
	return unix.Linkat(unix.AT_FDCWD, nameOf(f), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
}

func nameOf(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }
