//go:build !windows

package layers

import (
	"errors"
	"os"
)

// unlinkedSpool takes the name away at once: whoever kills the process leaves
// nothing behind.
func unlinkedSpool(dir string) (*spool, error) {
	s, err := createSpool(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(s.remove); err != nil {
		return nil, errors.Join(err, s.File.Close())
	}
	s.remove = ""
	return s, nil
}
