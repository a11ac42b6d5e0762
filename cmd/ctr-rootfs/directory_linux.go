package main

import (
	"context"
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
	d := &directorySink{Dir: sink, name: name}
	return &target{
		sink:   d,
		finish: func() error { return nil },
		discard: func() error {
			if err := d.discard(); err != nil {
				return err
			}
			return remove()
		},
		skipped: sink.Skipped,
		removed: sink.Removed,
		within:  d.within,
	}, nil
}

// directorySink leaves it to discard to remove what was written. A directory that
// hangs is left to whoever still writes to it.
type directorySink struct {
	*export.Dir
	name         string
	closed, lost bool
}

// Close is called by whoever writes, as are Put and Abort.
func (d *directorySink) Close() error {
	err := d.Dir.Close()
	d.closed = err == nil
	return err
}

// Abort is for discard.
func (d *directorySink) Abort() error { return nil }

// within gives writing twice the time that its reads have by themselves.
func (d *directorySink) within(ctx context.Context, write func() (export.Report, error)) (export.Report, error) {
	type result struct {
		export.Report
		error
	}
	r, err := hostfile.SettleWithin(ctx, 2*hostfile.Grace, func() (result, error) {
		report, err := write()
		return result{report, err}, nil
	}, nil)
	if err != nil {
		d.lost = true
		return export.Report{}, err
	}
	return r.Report, r.error
}

// discard is called when nobody writes any more, unless that hangs.
func (d *directorySink) discard() error {
	switch {
	case d.lost:
		return fmt.Errorf("removing directory %q: it stays, because writing to it hangs", d.name)
	case d.closed:
		return nil
	}
	return d.Dir.Abort()
}
