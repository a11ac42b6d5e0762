package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// openDirectory makes DIR, or takes an empty one. A failed export removes
// what it wrote, and DIR itself where it was made here.
func openDirectory(name string, noSameOwner bool) (*target, error) {
	made := true
	if err := os.Mkdir(name, 0o755); errors.Is(err, fs.ErrExist) {
		made = false
	} else if err != nil {
		return nil, fmt.Errorf("writing directory %q: %w", name, hostfile.WithoutPath(err))
	}
	remove := func() error {
		if !made {
			return nil
		}
		err := os.Remove(name)
		if errors.Is(err, unix.ENOTEMPTY) {
			// It was whole before something else failed. Unlike a file it has
			// had its name all along, and stays.
			return nil
		}
		return err
	}
	// O_DIRECTORY: opening a FIFO would wait for its other end.
	dir, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, joined(fmt.Errorf("writing directory %q: %w", name, hostfile.WithoutPath(err)), remove())
	}
	sink, err := export.NewDir(dir, export.DirOptions{NoSameOwner: noSameOwner})
	if err != nil {
		return nil, joined(fmt.Errorf("writing directory %q: %w", name, err), remove())
	}
	return &target{
		sink:    sink,
		finish:  func() error { return nil },
		discard: remove,
		skipped: sink.Skipped,
	}, nil
}
