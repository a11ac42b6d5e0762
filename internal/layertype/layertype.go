// Package layertype says how a layer is read: by its media type, and whether its
// bytes are what that says.
//
// pkg/layers and pkg/snapshot, which do not import one another, go by the one
// table here, so that no way of reading an image takes a layer for something
// that it is not. The package opens no blob and decompresses nothing.
package layertype

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Format is what a layer's blob holds, once it is decompressed.
type Format string

// The formats that are read. The zero value stands for all others.
const (
	Tar   Format = "tar"
	EROFS Format = "EROFS"
)

// formats is the table, which formatsOf completes: a layer whose media type is not
// in it is not read. A type's compression is not in it: see inflate.NewReader. Types
// that only add to a tar what its readers may pass over (eStargz, zstd:chunked) are
// the tar's.
var formats = map[string]Format{
	// image-spec, layer.md and media-types.md.
	"application/vnd.oci.image.layer.v1.tar":                       Tar,
	"application/vnd.oci.image.layer.v1.tar+gzip":                  Tar,
	"application/vnd.oci.image.layer.v1.tar+zstd":                  Tar,
	"application/vnd.oci.image.layer.nondistributable.v1.tar":      Tar,
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": Tar,
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": Tar,
	// Docker's image manifest version 2, schema 2, and its types for zstd and for
	// what is not compressed.
	"application/vnd.docker.image.rootfs.diff.tar":              Tar,
	"application/vnd.docker.image.rootfs.diff.tar.gzip":         Tar,
	"application/vnd.docker.image.rootfs.diff.tar.zstd":         Tar,
	"application/vnd.docker.image.rootfs.foreign.diff.tar":      Tar,
	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": Tar,
	"application/vnd.docker.image.rootfs.foreign.diff.tar.zstd": Tar,
	// containerd, docs/snapshotters/erofs.md: a filesystem instead of a tar.
	"application/vnd.erofs.layer.v1":      EROFS,
	"application/vnd.erofs.layer.v1+zstd": EROFS,
}

// FormatOf gives the format of a media type's layers; the zero value says that
// they are not read.
func FormatOf(mediaType string) Format { return formats[mediaType] }

// Way is a way of reading an image's layers.
type Way int

// The ways: pkg/layers merges layers, the embedded store unpacks them.
const (
	Merging Way = iota
	Unpacking
)

// formatsOf says what each way can read.
var formatsOf = map[Way][]Format{
	Merging:   {Tar, EROFS},
	Unpacking: {Tar},
}

// Check is an *Error about the first of an image's layers that is of none of the
// formats which are read in this way.
func Check(layers []ispec.Descriptor, way Way) error {
	for i, l := range layers {
		if !slices.Contains(formatsOf[way], FormatOf(l.MediaType)) {
			return &Error{MediaType: l.MediaType, Digest: l.Digest, Number: i + 1, Of: len(layers)}
		}
	}
	return nil
}

// Error says that a layer's media type is not one that is read.
type Error struct {
	MediaType string
	Digest    digest.Digest
	// Number counts from 1, of the Of layers of the image.
	Number, Of int
}

func (e *Error) Error() string {
	what := "is not read"
	if e.ByMerging() {
		what = "is read, but not unpacked"
	}
	return fmt.Sprintf("layer %d of %d (%s) has the media type %q, which %s", e.Number, e.Of, e.Digest, e.MediaType, what)
}

// Encrypted says whether the layer is one of ocicrypt's, whose media types are
// another's with a suffix.
func (e *Error) Encrypted() bool {
	return strings.HasSuffix(e.MediaType, "+encrypted") || strings.HasSuffix(e.MediaType, "+enc")
}

// Foreign says that the media type is not even of those that name layers of
// images: what is read may be a chart, a model or an attestation.
func (e *Error) Foreign() bool {
	return !strings.HasPrefix(e.MediaType, "application/vnd.oci.image.layer.") && !strings.HasPrefix(e.MediaType, "application/vnd.docker.image.rootfs.")
}

// ByMerging says that the layer was to be unpacked, and that merging would read
// it.
func (e *Error) ByMerging() bool { return slices.Contains(formatsOf[Merging], FormatOf(e.MediaType)) }
