//go:build !windows

package layers

import (
	"errors"
	"os"
)

// unlinkedSpoolFile takes the name away at once: whoever kills the process
// leaves nothing behind.
func unlinkedSpoolFile(dir string) (*spoolFile, error) {
	f, err := createSpoolFile(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.remove); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.remove = ""
	return f, nil
}
