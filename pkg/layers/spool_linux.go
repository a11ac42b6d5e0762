package layers

import (
	"os"

	"golang.org/x/sys/unix"
)

// openSpool makes a file that never has a name, where the filesystem can
// (open(2), O_TMPFILE: not on overlayfs before 6.3, nor on NFS).
func openSpool(dir string) (*spool, error) {
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return unlinkedSpool(dir)
	}
	return &spool{File: f, dir: dir}, nil
}
