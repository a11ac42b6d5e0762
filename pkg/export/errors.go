package export

import "fmt"

// PlaceError says that the tree has something else where a Made entry, or a
// directory above it, has to be.
type PlaceError struct {
	// Path and For are the Made's own.
	Path, For string
	// At is the place, a path in the tree; Found is what stands there, and
	// Wanted what has to.
	At            string
	Found, Wanted Type
}

func (e *PlaceError) Error() string {
	what := fmt.Sprintf("%q", e.Path)
	if e.For != "" {
		what += " for " + e.For
	}
	return fmt.Sprintf("making %s: %q is a %s, not a %s", what, e.At, e.Found, e.Wanted)
}

// HeaderError says that what an entry has beside its body is more than tar
// readers accept.
type HeaderError struct {
	Path string
	// Size and Limit are in bytes.
	Size, Limit int
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("writing the header of %q: its extended attributes and names take %d bytes, over the %d that tar readers accept", e.Path, e.Size, e.Limit)
}

// OwnerError says that a file could not be given its owner.
type OwnerError struct {
	UID, GID uint32
	Err      error
}

func (e *OwnerError) Error() string {
	return fmt.Sprintf("setting its owner %d:%d: %v", e.UID, e.GID, e.Err)
}

func (e *OwnerError) Unwrap() error { return e.Err }

// ReadError says what of a directory tree could not be read, and why: Doing is
// a gerund with its preposition, as "reading xattrs of".
type ReadError struct {
	Doing, Path string
	Err         error
}

func (e *ReadError) Error() string { return fmt.Sprintf("%s %q: %v", e.Doing, e.Path, e.Err) }
func (e *ReadError) Unwrap() error { return e.Err }
