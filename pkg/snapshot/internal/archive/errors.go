package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// SpoolError says why an archive could not be written out to a temporary file
// in Dir, or read from it.
type SpoolError struct {
	Dir string
	Err error
}

func (e *SpoolError) Error() string {
	return fmt.Sprintf("writing a spool file in %q: %v", e.Dir, e.Err)
}

func (e *SpoolError) Unwrap() error { return e.Err }

// CutError says by Err that an archive has lost its end, or all.
type CutError struct{ Err error }

func (e *CutError) Error() string { return e.Err.Error() }

func (e *CutError) Unwrap() error { return e.Err }

// cut is why an archive is known to have lost its end.
func cut(why error) error { return &CutError{fmt.Errorf("it is cut off: %w", why)} }

// Explain says in the words of the archive in the file or directory name what tar
// and content readers say in theirs.
func Explain(name string, err error) error {
	var path *fs.PathError
	var unsupported *inflate.UnsupportedError
	switch {
	case errors.As(err, &path) && path.Path == name:
		return path.Err
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("it is not an image archive: %w", err)
	case errors.Is(err, inflate.ErrLimit), errors.Is(err, inflate.ErrTrailing):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return cut(err)
	case errors.As(err, &unsupported):
		return &ForeignError{unsupported.What, "xz -dc FILE"}
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return &ForeignError{"zstd with a very large window", "zstd -dc --long=31 FILE"}
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrCRCMismatch), errors.Is(err, inflate.ErrDamaged):
		return fmt.Errorf("its compression is damaged: %w", err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("it is incomplete or damaged: %w", err)
	}
	return err
}
