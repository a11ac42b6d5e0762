package spoolfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// open makes a file that never has a name, where the filesystem can (open(2),
// O_TMPFILE: not on NFS, nor on overlayfs before Linux 6.3).
func open(dir string) (*File, error) {
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return unlinked(dir)
	}
	return &File{File: f}, nil
}
