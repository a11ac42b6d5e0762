package files

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// wholeFile is a regular file that appears under its name when it is whole,
// or never. Until then it has no name, where the filesystem allows that, and
// nobody else may read it.
type wholeFile struct {
	*os.File
	name string
	// out writes to the file.
	out *inPlace
	// temporary is the name that it has until then; empty for none.
	temporary string
	// state is one of those below. Where a file system hangs, Discard may be
	// called beside Finish: only one of them takes effect.
	state atomic.Int32
}

const (
	fileOpen = iota
	fileAppearing
	fileDiscarded
)

var (
	errDiscarded = errors.New("it was given up")
	errAppearing = errors.New("it may appear still")
)

// newWholeFile opens a file that is to be called name, for work that ctx ends.
func newWholeFile(ctx context.Context, name string) (*wholeFile, error) {
	dir := filepath.Dir(name)
	f, err := openUnnamed(dir)
	if err == nil {
		return newWhole(ctx, f, name, ""), nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	temporary, err := temporaryName(name)
	if err != nil {
		return nil, err
	}
	f, err = os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return newWhole(ctx, f, name, temporary), nil
}

func newWhole(ctx context.Context, f *os.File, name, temporary string) *wholeFile {
	return &wholeFile{File: f, name: name, temporary: temporary, out: &inPlace{
		file: f, name: fmt.Sprintf("%q", name), grace: hostfile.Grace,
		stop: ctx.Done(), why: func() error { return hostfile.Hung(ctx) },
	}}
}

func temporaryName(name string) (string, error) {
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".ctr-rootfs-"+hex.EncodeToString(random[:])), nil
}

func (w *wholeFile) Write(p []byte) (int, error) { return w.out.Write(p) }

// Finish makes the content durable, then visible.
func (w *wholeFile) Finish() error {
	err := w.appear()
	if err != nil {
		return errors.Join(fmt.Errorf("finishing %q: %w", w.name, err), w.discard())
	}
	if err := w.Close(); err != nil {
		return errors.Join(fmt.Errorf("closing %q: %w", w.name, hostfile.WithoutPath(err)), os.Remove(w.name))
	}
	return nil
}

func (w *wholeFile) appear() error {
	mode, err := w.finalMode()
	if err != nil {
		return err
	}
	if err := w.Chmod(mode); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	if !w.state.CompareAndSwap(fileOpen, fileAppearing) {
		return errDiscarded
	}
	if w.temporary == "" {
		err := linkUnnamed(w.File, w.name)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		// An older file stands there. Only a rename replaces it at once, and
		// only a name can be renamed.
		temporary, err := temporaryName(w.name)
		if err != nil {
			return err
		}
		if err := linkUnnamed(w.File, temporary); err != nil {
			return err
		}
		w.temporary = temporary
	}
	if err := os.Rename(w.temporary, w.name); err != nil {
		return err
	}
	w.temporary = ""
	return nil
}

// finalMode is what the umask leaves, and no more than the file that is replaced
// had, which may be private for a reason.
func (w *wholeFile) finalMode() (fs.FileMode, error) {
	mode := 0o666 &^ umask
	older, err := os.Lstat(w.name)
	switch {
	case err == nil && older.Mode().IsRegular():
		return older.Mode().Perm() & mode, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return 0, err // in doubt, nothing is shown to more people than before
	}
	return mode, nil
}

// Discard may be called beside a Write or a Finish that hangs. An error says so
// where Finish cannot be kept from giving the file its name any more.
func (w *wholeFile) Discard() error {
	if !w.state.CompareAndSwap(fileOpen, fileDiscarded) && w.state.Load() == fileAppearing {
		return fmt.Errorf("discarding %q: %w", w.name, errAppearing)
	}
	return w.discard()
}

// discard may be called by Finish and by Discard: what the other has done already is
// no error.
func (w *wholeFile) discard() error {
	err := w.Close()
	if errors.Is(err, fs.ErrClosed) {
		err = nil
	}
	if w.temporary != "" {
		if gone := os.Remove(w.temporary); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		return fmt.Errorf("discarding %q: %w", w.name, err)
	}
	return nil
}
