package main

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

// output is where the data goes. finish gives a file its name, once
// everything is in it; discard leaves nothing of it. Exactly one of them is
// called.
type output interface {
	io.Writer
	finish() error
	discard() error
}

// openOutput opens FILE for writing: standard output where it is empty or
// "-"; a device or FIFO in place; else a regular file that gets its name only
// when it is whole.
func openOutput(ctx context.Context, name string, s streams) (output, error) {
	if name == "" || name == "-" {
		if term.IsTerminal(int(s.out.Fd())) {
			return nil, usagef("writing to standard output: it is a terminal: use -o FILE, or a pipe")
		}
		return newInPlace(ctx, s.out, "standard output", false), nil
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
		return nil, fmt.Errorf("writing %q: %w", name, unwrapPath(err))
	}
	return f, nil
}

// unwrapPath drops the path from an error that is about to be told with it.
func unwrapPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
