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

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// Output is where data goes. Finish gives a file its name, once everything is
// in it; Discard leaves nothing of it. Exactly one of them is
// called.
type Output interface {
	io.Writer
	Finish() error
	Discard() error
}

// Why an output is refused.
var (
	ErrTerminal    = errors.New("writing to standard output: it is a terminal")
	ErrDirectory   = errors.New("it is a directory")
	ErrNoDirectory = errors.New("there is no directory")
)

// Create opens the file called name for writing: stdout where that is empty or
// "-"; what this process has open, as /dev/stdout names it, and a device or FIFO
// in place; else a regular file that gets its name only when it is whole.
func Create(ctx context.Context, name string, stdout *os.File) (Output, error) {
	if isStdout(name) {
		if term.IsTerminal(int(stdout.Fd())) {
			return nil, ErrTerminal
		}
		return Stdout(ctx, stdout), nil
	}
	file, err := openDescriptor(name)
	if err != nil {
		return nil, err
	}
	if file != nil {
		return ownDescriptor(ctx, file)
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("writing %q: %w", name, ErrDirectory)
	case err == nil && !info.Mode().IsRegular():
		return openInPlace(ctx, name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("writing %q: %w", name, errors.Unwrap(err))
	}
	return createWhole(ctx, name)
}

// ownDescriptor writes to a duplicate of what this process has open.
func ownDescriptor(ctx context.Context, file *os.File) (Output, error) {
	if term.IsTerminal(int(file.Fd())) {
		return nil, errors.Join(ErrTerminal, file.Close())
	}
	return newInPlace(ctx, file, fmt.Sprintf("%q", file.Name()), true), nil
}

// Stdout gives standard output, a terminal as well. Who reads it may stall: a
// write that is given up then goes on with the bytes that it was given.
func Stdout(ctx context.Context, stdout *os.File) Output {
	return newInPlace(ctx, stdout, "standard output", false)
}

// createWhole opens a regular file. A symlink stays one, as with a shell's ">":
// the file behind it is made or replaced.
func createWhole(ctx context.Context, name string) (Output, error) {
	path, err := resolve(name)
	if err != nil {
		return nil, fmt.Errorf("writing %q: %w", name, hostfile.WithoutPath(err))
	}
	f, err := newWholeFile(ctx, path)
	if err == nil {
		return f, nil
	}
	dir := filepath.Dir(path)
	if _, gone := os.Stat(dir); errors.Is(gone, fs.ErrNotExist) {
		return nil, fmt.Errorf("writing %q: %w %q", name, ErrNoDirectory, dir)
	}
	return nil, fmt.Errorf("writing %q: %w", name, hostfile.WithoutPath(err))
}
