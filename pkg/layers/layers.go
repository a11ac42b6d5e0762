// Package layers shows the merged layers of an image as an export.Tree,
// straight from the layer blobs: it mounts nothing and needs no privilege.
//
// Layers are inflated side by side into one spool file, while their headers are
// indexed and their digests verified. The merge then works on the index alone,
// and bodies are read from the spool, or from an uncompressed blob where it lies.
// A layer may be an EROFS filesystem instead of a tar: it is read here, not by
// the kernel.
// The result is what containerd's overlayfs snapshotter shows of the same
// layers; the doc comment of Open says where it is more.
//
// The package finds no image, talks to no daemon and writes no archive: where
// blobs come from and where entries go is somebody else's business.
package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// What Options leaves at zero.
const (
	// DefaultMaxEntries is four times the largest image that is known to be
	// meant, and keeps the index below 1.6 GB.
	DefaultMaxEntries = 4_000_000
	// DefaultMaxBytes is more than any image that people run; a few KiB of
	// zstd can inflate to more than any disk holds.
	DefaultMaxBytes = inflate.DefaultMaxBytes
	// DefaultMetadataPerEntry bounds what names, targets and xattrs add to the
	// index: each may be 1 MiB long in a tar.
	DefaultMetadataPerEntry = 128
)

// Options adjusts Open; the zero value works.
type Options struct {
	// SpoolDir is the folder of the spool file; os.TempDir() where empty. It
	// takes the inflated size of all layers that are not read in place.
	SpoolDir string
	// Workers is how many layers are inflated at a time; 0 is the cores.
	Workers int
	// Implied is the time of a directory that no layer names, or that a layer
	// changes without naming it: in a view, such a directory has the time of
	// unpacking. A caller who clamps times gives the clamp's, so that both come
	// out the same. The zero value is 1970.
	Implied time.Time
	// MaxEntries bounds the entries of all layers together, directories that
	// only a path mentions included; 0 is DefaultMaxEntries.
	MaxEntries int64
	// MaxBytes bounds the inflated bytes of all layers together, holes of
	// sparse files included; 0 is DefaultMaxBytes.
	MaxBytes int64
	// MaxMetadata bounds the bytes of names, targets and xattrs of all layers
	// together, and of the paths of hard links; 0 is DefaultMetadataPerEntry for
	// each of MaxEntries.
	MaxMetadata int64
}

// Layer is one layer of an image. It has the fields of snapshot.Layer, so that
// Layer(l) makes one of the other.
type Layer struct {
	// Descriptor gives the blob's media type, which says what it holds, and its
	// digest and size, both of which are verified. How it is compressed is read
	// from the blob itself: some builders say it wrong, and most readers do not
	// mind.
	Descriptor ispec.Descriptor
	// DiffID is the digest of the uncompressed tar or filesystem, from the image's
	// config.
	DiffID digest.Digest
	// Open gives the blob. This package closes it, at the end of Open or, where
	// it is read in place, when the Tree is closed.
	Open func(context.Context) (Blob, error)
	// InPlace says that reading the blob here and there is cheap and that its
	// bytes stay as they are until the Tree is closed, as in a local content
	// store: an uncompressed blob is then not copied to the spool.
	InPlace bool
}

// Blob is the bytes of a layer and how many there are; containerd's
// content.ReaderAt is one.
type Blob = interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Report counts what Open read, and what it left out.
type Report struct {
	// Headers is the number of tar entries, and of names in filesystems, of all
	// layers.
	Headers int64 `json:"headers"`
	// Inflated is the bytes of all layers' tars and filesystems, Spooled those of
	// them that were written to the spool.
	Inflated int64 `json:"inflated"`
	Spooled  int64 `json:"spooled"`
	// Xattrs is the number of extended attributes that were left out: because no
	// Linux filesystem takes them, being of a namespace that Linux has not, or
	// "user." ones of something that is neither a file nor a directory; or because only
	// records say them that containerd does not read ("LIBARCHIVE.xattr.",
	// "SCHILY.acl.", "RHT.security.selinux").
	Xattrs int64 `json:"xattrsLeftOut"`
	// Unnamed is the number of directories of mode 0777 in EROFS layers that were
	// read as what mkfs.erofs makes where a tar has no entry of a directory: the Tree
	// has them with other attributes. Undecided is the number of those that may be
	// the same, or meant to be open to all: the Tree has them as they are.
	Unnamed   int64 `json:"unnamedDirectories"`
	Undecided int64 `json:"undecidedDirectories"`
}

// Open reads the layers, the lowest first, and merges them by image-spec's
// layer.md. No layer at all is an empty root. The Tree can be read until its
// Close, which gives the spool back.
//
// A layer whose media type is not one of image-spec's or docker's for tars, or
// containerd's for EROFS filesystems, is a *MediaTypeError, before any is opened.
// One that is to be a tar and is none is a *ContentError. Nothing but zeros, or
// nothing at all, is an empty layer.
//
// A blob whose digest, size or diff ID is wrong, that is cut off or goes on
// after its compressed stream, is an error that names the layer, its digest and
// its diff ID; so is a malformed tar, a whiteout of ".", ".." or nothing, and a
// hard link to nothing.
//
// Where layer.md leaves a choice, the tree is the one that containerd 2.4.2
// unpacks with its overlayfs snapshotter: a directory that only a path mentions
// takes the attributes of the one below it, or is 0755 and root's; a lower
// symlink under which a layer puts a file without naming it becomes a
// directory; a later hard link's owner, mode, time and xattrs become the
// file's; a name repeated in one layer counts as it stands last; PAX global
// headers say nothing; "SCHILY.xattr." names are taken as they are.
//
// A directory has Options.Implied as its time where its uppermost layer makes or
// hides something in it and has no entry of its own for it; such an entry's time
// holds, wherever it stands in its layer.
//
// It keeps what that unpacking loses: times before 1970 and after 2262,
// "trusted." xattrs, the root's metadata, a capability under a later link, an
// opaque root, a whiteout before a directory of its name, a 0:0 character device
// (overlayfs takes it for a whiteout; here neither that nor overlayfs's own
// xattrs hide anything). It has not what that unpacking adds: ACLs inherited
// from a directory's default one, an earlier directory entry's time on what
// replaces it in its layer, the directories of a global header's name.
//
// It reads what that refuses: hard links to lower layers and to later entries, a
// whiteout beside a new entry of its name (which hides only what is below), GNU
// sparse and contiguous files, paths over 4,096 bytes, up to 8 KiB.
//
// A filesystem is what the tar was that mkfs.erofs made it of, as far as it tells
// (see Report.Unnamed): 0:0 character devices are whiteouts there, and
// "trusted.overlay." and "user.overlay." xattrs are overlayfs's own, by which a
// directory is opaque. One that is compressed, or has marks or features beyond
// these, is a *FilesystemError.
func Open(ctx context.Context, layers []Layer, o Options) (*Tree, error) {
	if err := checkTypes(layers); err != nil {
		return nil, err
	}
	q, sp := newQuota(o), newSpool(o.SpoolDir)
	indexes, err := indexAll(ctx, layers, o.Workers, q, sp)
	t := &Tree{implied: o.Implied, closers: []io.Closer{sp}}
	if t.implied.IsZero() {
		t.implied = time.Unix(0, 0)
	}
	for _, x := range indexes {
		t.sources = append(t.sources, source{x.source, x.size, x.image})
		if x.blob != nil {
			t.closers = append(t.closers, x.blob)
		}
	}
	if err == nil {
		t.root, err = mergeAll(ctx, indexes)
		t.report = q.report() // only now: merging leaves out xattrs, too
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// checkTypes fails where a layer is of a media type that is not read.
func checkTypes(layers []Layer) error {
	var all []ispec.Descriptor
	for _, l := range layers {
		all = append(all, l.Descriptor)
	}
	return layertype.Check(all, layertype.Merging)
}

// named says which layer an error is about.
func (l Layer) named(number, of int, err error) error {
	return fmt.Errorf("reading layer %d of %d (blob %s, diff ID %s): %w", number, of, l.Descriptor.Digest, l.DiffID, err)
}
