//go:build !windows

package archive

import (
	"errors"
	"os"
)

// openSpool takes the name away at once: whoever kills the process leaves
// nothing behind.
func openSpool(dir string) (archiveFile, error) {
	f, err := createSpool(dir)
	if err != nil {
		return archiveFile{}, err
	}
	if err := os.Remove(f.remove); err != nil {
		return archiveFile{}, errors.Join(err, f.File.Close())
	}
	f.remove = ""
	return f, nil
}
