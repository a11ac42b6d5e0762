package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/registry"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// ErrNotFound says that what SOURCE names is not there. Every error about a
// missing image, archive or reference wraps it.
var ErrNotFound = document.ErrNotFound

// ArtifactError says that what SOURCE names is an artifact, such as a signature or a
// Helm chart, and no image.
type ArtifactError = document.ArtifactError

// ErrNeedsLinux says that a root can be mounted on Linux only.
var ErrNeedsLinux = rootfs.ErrNeedsLinux

// DefaultMaxBytes is 128 GiB, more than any image that people run; a few KiB of
// zstd can inflate to more than any disk holds.
const DefaultMaxBytes = inflate.DefaultMaxBytes

// ErrLimit is an archive or an image beyond Options.MaxBytes.
var ErrLimit = inflate.ErrLimit

// ErrRegistryToken says that docker's config.json has only a token for a
// registry that cannot be sent.
var ErrRegistryToken = registry.ErrRegistryToken

// ErrLayerUnread says that the embedded store could not read a layer that it was
// unpacking, because it is cut off, for instance: no other way reads it, either.
var ErrLayerUnread = errors.New("reading its blob")

// ErrOnOverlay says that the embedded store cannot unpack a layer, because it
// lies on an overlay.
var ErrOnOverlay = errors.New("the store lies on an overlay, which does not take all that layers have")

// SocketError says why no daemon answers at Address.
type SocketError struct {
	Address string
	// Elsewhere is a socket of another containerd on this host, where one is
	// known to be.
	Elsewhere string
	Err       error
}

func (e *SocketError) Error() string {
	return fmt.Sprintf("connecting to containerd at %q: %v", e.Address, e.Err)
}

func (e *SocketError) Unwrap() error { return e.Err }

// UndoError says why not all that the run Key made could be removed: its view and
// lease may be left in the store, until Collect.
type UndoError struct {
	Key string
	Err error
}

func (e *UndoError) Error() string { return fmt.Sprintf("removing %q: %v", e.Key, e.Err) }

func (e *UndoError) Unwrap() error { return e.Err }

// NamespaceError says that an image is not in Namespace but in Others.
type NamespaceError struct {
	Image, Namespace string
	Others           []string
}

func (e *NamespaceError) Error() string {
	return fmt.Sprintf("finding image %q in namespace %q: it is only in %s", e.Image, e.Namespace, quoted(e.Others))
}

func (e *NamespaceError) Unwrap() error { return ErrNotFound }

// PlatformError says that an image has no manifest for the platform Want, and
// which platforms it has.
type PlatformError struct {
	Image, Want string
	Have        []string
}

func (e *PlatformError) Error() string {
	return fmt.Sprintf("finding platform %s in image %q: the image has %s", e.Want, e.Image, listed(e.Have))
}

func (e *PlatformError) Unwrap() error { return ErrNotFound }

// MissingError says that an image is not in the store, and that it was not to
// be pulled.
type MissingError struct {
	Image, Store string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("finding image %q in %s: not found", e.Image, e.Store)
}

func (e *MissingError) Unwrap() error { return ErrNotFound }

// ArchiveError says what is wrong with an archive of images.
type ArchiveError struct {
	Path string
	Err  error
}

func (e *ArchiveError) Error() string {
	return fmt.Sprintf("reading image archive %q: %v", e.Path, e.Err)
}

// Unwrap gives the cause, and ErrNotFound beside it where there is no such
// file.
func (e *ArchiveError) Unwrap() []error {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return []error{e.Err, ErrNotFound}
	}
	return []error{e.Err}
}

// SpoolError says why an archive could not be written out to a temporary file
// in Dir, or read from it: Err.
type SpoolError = archive.SpoolError

// CutError says that an archive has lost its end.
type CutError = archive.CutError

// ForeignError says that a file is packed in what is not read here, and which
// command unpacks it.
type ForeignError = archive.ForeignError

// ErrOldDocker is an archive of a docker before 1.10.
var ErrOldDocker = archive.ErrOldDocker

// OtherListError is Err, which says why one of an archive's lists of images
// (index.json, manifest.json) does not give what was asked for. The other one, List,
// does: Other is the source that reads it.
type OtherListError struct {
	Other Source
	List  string
	Err   error
}

func (e *OtherListError) Error() string { return e.Err.Error() }

func (e *OtherListError) Unwrap() error { return e.Err }

// ReferenceError says that an archive holds no image named Ref, or several
// that are, or where none was named. Have tells them apart. Where none was named,
// Elsewhere are those that only the archive's other list of images has.
type ReferenceError struct {
	Path, Ref       string
	Have, Elsewhere []string
}

func (e *ReferenceError) Error() string {
	if len(e.Elsewhere) > 0 {
		return fmt.Sprintf("choosing an image of %q: its other list of images has more: %s", e.Path, listed(e.Elsewhere))
	}
	if e.Ref == "" {
		return fmt.Sprintf("choosing an image of %q: it holds %s", e.Path, listed(e.Have))
	}
	return fmt.Sprintf("finding image %q in %q: it holds %s", e.Ref, e.Path, listed(e.Have))
}

func (e *ReferenceError) Unwrap() error { return ErrNotFound }

// SourceError says why a directory or file that a snapshot's mount is made of, or a
// container's root directory, cannot be opened: Path, below HostRoot where that is not
// empty.
type SourceError = rootfs.SourceError

// PropagationError says that what the daemon mounted at Path is not mounted
// there for this process, which is in a mount namespace of its own.
type PropagationError = rootfs.PropagationError

// MountDeniedError says that this process may not mount: it has no
// CAP_SYS_ADMIN, or a security module forbids it.
type MountDeniedError = rootfs.MountDeniedError

// SnapshotterError says that the store has no snapshotter of that name.
type SnapshotterError struct {
	Name string
	Have []string
}

func (e *SnapshotterError) Error() string {
	return fmt.Sprintf("using snapshotter %q: the store has %s", e.Name, listed(e.Have))
}

// ContentError says that an image is named in the store, but that neither its
// layers nor its snapshots are there.
type ContentError struct {
	Image, Snapshotter string
	// Others are snapshotters of the store that have the image unpacked.
	Others []string
	Err    error
}

func (e *ContentError) Error() string {
	if len(e.Others) > 0 {
		return fmt.Sprintf("unpacking image %q for snapshotter %q: its layers are not in the store, but unpacked for snapshotter %s", e.Image, e.Snapshotter, quoted(e.Others))
	}
	return fmt.Sprintf("unpacking image %q for snapshotter %q: its layers are not in the store, neither packed nor unpacked", e.Image, e.Snapshotter)
}

func (e *ContentError) Unwrap() []error { return []error{e.Err, ErrNotFound} }

// DiscardedError says that layers of an image are not in the store, though its
// snapshots may be.
type DiscardedError struct {
	Image string
	Err   error
}

func (e *DiscardedError) Error() string {
	return fmt.Sprintf("reading the layers of image %q: %v", e.Image, e.Err)
}

func (e *DiscardedError) Unwrap() []error { return []error{e.Err, ErrNotFound} }

// UnpackError says why containerd could not unpack an image for a snapshotter.
type UnpackError struct {
	Image, Snapshotter string
	Err                error
}

// Error has containerd's words on one line: they may quote what a program that
// it called, such as mkfs.erofs, said on several.
func (e *UnpackError) Error() string {
	why := strings.Join(strings.Fields(ofSnapshotter(e.Err).Error()), " ")
	return fmt.Sprintf("unpacking image %q for snapshotter %q: %s", e.Image, e.Snapshotter, why)
}

func (e *UnpackError) Unwrap() error { return e.Err }

// LayerTypeError says which layer's media type is not one that can be read, by
// the way that was asked for.
type LayerTypeError = layertype.Error

// LayerContentError says that a layer's content is not what its media type says.
type LayerContentError = layertype.ContentError

// IncompleteError says that an image is named in the store without the
// manifest or config for the platform, and that it was not to be pulled.
type IncompleteError struct {
	Image, Store string
	Err          error
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("finding image %q in %s: its name is there, its content is not: %v", e.Image, e.Store, e.Err)
}

func (e *IncompleteError) Unwrap() []error { return []error{e.Err, ErrNotFound} }

// StoreError says why the embedded store in Dir cannot be used.
type StoreError struct {
	Dir string
	Err error
}

func (e *StoreError) Error() string {
	return fmt.Sprintf("opening the embedded store %q: %v", e.Dir, e.Err)
}

func (e *StoreError) Unwrap() error { return e.Err }

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return listed(q)
}
