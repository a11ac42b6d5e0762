// Package files opens, reads and writes the files that the command line names:
// what may block can be given up, and what is written appears whole.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// Output is where data goes. Finish gives a file its name, once everything is
// in it; Discard leaves nothing of it. Exactly one of them is
// called.
type Output interface {
	io.Writer
	Finish() error
	Discard() error
}

// ErrTerminal says that data was to go to a terminal.
var ErrTerminal = errors.New("writing to standard output: it is a terminal: use -o FILE, or a pipe")

// Create opens the file called name for writing: stdout where that is empty or
// "-"; a device or FIFO in place; else a regular file that gets its name only
// when it is whole.
func Create(ctx context.Context, name string, stdout *os.File) (Output, error) {
	if name == "" || name == "-" {
		if term.IsTerminal(int(stdout.Fd())) {
			return nil, ErrTerminal
		}
		return newInPlace(ctx, stdout, "standard output", false), nil
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("writing %q: it is a directory: name a file in it, or use --format dir", name)
	case err == nil && !info.Mode().IsRegular():
		return openInPlace(ctx, name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("writing %q: %w", name, errors.Unwrap(err))
	}
	if err == nil {
		// A symlink to a file stays one; the file behind it is replaced.
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return nil, fmt.Errorf("writing %q: %w", name, err)
		}
	}
	f, err := newWholeFile(name)
	if _, gone := os.Stat(filepath.Dir(name)); errors.Is(gone, fs.ErrNotExist) {
		return nil, fmt.Errorf("writing %q: there is no directory %q: make it first", name, filepath.Dir(name))
	}
	if err != nil {
		return nil, fmt.Errorf("writing %q: %w", name, WithoutPath(err))
	}
	return f, nil
}

// WithoutPath drops the path from an error that is about to be told with it.
func WithoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
