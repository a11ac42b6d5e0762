package layers

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// spool is a file for one layer's tar that is gone when it is closed, or, where
// the system can do that, when the process dies.
type spool struct {
	*os.File
	dir string
	// remove is the name to remove after closing, where an open file cannot be.
	remove string
}

// newSpool makes a spool in dir, which is os.TempDir() where empty.
func newSpool(dir string) (*spool, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	s, err := openSpool(dir)
	if err != nil {
		return nil, fmt.Errorf("making a spool file in %q: %w", dir, err)
	}
	return s, nil
}

// Write says what to do when the folder is full.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.File.Write(p)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return n, fmt.Errorf("spooling to %q: %w; choose a folder with more room by --spool", s.dir, errors.Unwrap(err))
	}
	if err != nil {
		return n, fmt.Errorf("spooling to %q: %w", s.dir, err)
	}
	return n, nil
}

func (s *spool) Close() error {
	err := s.File.Close()
	if s.remove != "" {
		err = errors.Join(err, os.Remove(s.remove))
	}
	return err
}

// createSpool makes a file that has a name.
func createSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "ctr-rootfs-spool-")
	if err != nil {
		return nil, err
	}
	return &spool{File: f, dir: dir, remove: f.Name()}, nil
}
