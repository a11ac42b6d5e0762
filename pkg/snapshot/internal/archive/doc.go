// Package archive reads images where they lie in a file or a directory: OCI
// layouts, OCI archives and docker's.
//
// In goes a path, or a stream; out comes the index of the images that are there
// and a content.Provider of their blobs, which are read in place, sparse ones with
// their holes: only an archive that is compressed, or no regular file, is written
// out to a spool first. Blobs
// are given as they are, and nobody has verified their digests.
//
// The package knows no store, chooses no platform and unpacks no layer.
package archive

import "io"

// Options are those of OpenTar. The zero value works for a regular file.
type Options struct {
	// Document is the list of images that is read; OCIIndex where it is empty.
	Document Document
	// Stdin is read where the archive's name is "-".
	Stdin io.Reader
	// SpoolDir is where an archive is written out that cannot be read where it
	// lies; the directory for temporary files where it is empty.
	SpoolDir string
	// MaxBytes bounds what such an archive inflates to, and what sparse files have
	// with their holes; 0 is inflate.DefaultMaxBytes.
	MaxBytes int64
	// Watch may wrap the stream of such an archive to tell how far it was read;
	// total is its size, 0 where that is not known.
	Watch func(r io.Reader, total int64) io.Reader
}
