//go:build !windows

package spoolfile

import (
	"errors"
	"os"
)

// unlinked takes the name away at once: whoever kills the process leaves nothing
// behind, but for a kill in between.
func unlinked(dir string) (*File, error) {
	f, err := named(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.remove); err != nil {
		return nil, errors.Join(err, f.File.Close())
	}
	f.remove = ""
	return f, nil
}
