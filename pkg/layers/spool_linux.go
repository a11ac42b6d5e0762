package layers

import (
	"os"

	"golang.org/x/sys/unix"
)

// openSpoolFile makes a file that never has a name, where the filesystem can
// (open(2), O_TMPFILE: not on NFS, nor on overlayfs before Linux 6.3).
func openSpoolFile(dir string) (*spoolFile, error) {
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return unlinkedSpoolFile(dir)
	}
	return &spoolFile{File: f}, nil
}
