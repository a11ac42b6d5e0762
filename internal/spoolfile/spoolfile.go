// Package spoolfile makes files for what is inflated: nobody else sees them, and
// they are gone when they are closed or, where the system can do that, when the
// process dies.
package spoolfile

import (
	"errors"
	"os"
)

// File is such a file, open for reading and writing. The caller closes it.
type File struct {
	*os.File
	// remove is the name to remove after closing, where an open file cannot be.
	remove string
}

// Open makes a file in dir.
func Open(dir string) (*File, error) { return open(dir) }

// Close also removes a file that has a name.
func (f *File) Close() error {
	err := f.File.Close()
	if f.remove != "" {
		err = errors.Join(err, os.Remove(f.remove))
	}
	return err
}

// named makes a file that has a name until it is closed.
func named(dir string) (*File, error) {
	f, err := os.CreateTemp(dir, "ctr-rootfs-spool-")
	if err != nil {
		return nil, err
	}
	return &File{f, f.Name()}, nil
}
