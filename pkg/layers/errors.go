package layers

import (
	"errors"
	"fmt"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// ErrMismatch is a blob or its content that is not what its digest says.
var ErrMismatch = errors.New("digest mismatch")

// MediaTypeError says which layer's media type is not one that is read.
type MediaTypeError = layertype.Error

// ContentError says that a layer's content is not what its media type says.
type ContentError = layertype.ContentError

// FilesystemError says what of a layer that is an EROFS filesystem is not read,
// such as that it is compressed.
type FilesystemError = erofs.UnsupportedError

// Limit says what an image may have too much of.
type Limit string

// The limits of Options, and that of a path, which is fixed.
const (
	LimitEntries  Limit = "entries"
	LimitBytes    Limit = "inflated bytes"
	LimitMetadata Limit = "bytes of names, targets and xattrs"
	LimitPath     Limit = "bytes for a path"
)

// LimitError says which limit an image is over.
type LimitError struct {
	Of  Limit
	Max int64
}

func (e *LimitError) Error() string { return fmt.Sprintf("over the limit of %d %s", e.Max, e.Of) }

// SpoolError says why inflated layers could not be written to a spool file in
// Dir, or read from it.
type SpoolError struct {
	Dir string
	Err error
}

func (e *SpoolError) Error() string { return fmt.Sprintf("using a spool file in %q: %v", e.Dir, e.Err) }

func (e *SpoolError) Unwrap() error { return e.Err }
