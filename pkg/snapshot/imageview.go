package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// openImage opens a view of an image.
func (v *View) openImage(ctx context.Context, sess *session, req Request, want wanted) error {
	ctx, err := v.hold(ctx, sess, nil)
	if err != nil {
		return err
	}
	if req.Source.InArchive() {
		v.Image, err = v.store.imported(ctx, sess, req, want)
	} else {
		v.Image, err = v.store.named(ctx, sess, req, want)
	}
	if err != nil {
		return err
	}
	if v.Snapshotter, err = v.store.snapshotter(ctx, sess); err != nil {
		return err
	}
	mounts, err := v.prepare(ctx, sess)
	if err != nil {
		return err
	}
	if v.store.opts.Progress != nil {
		v.Size = sizeOf(ctx, sess, v.Image, v.Snapshotter)
	}
	if req.Layered {
		if err := v.openLower(mounts); err != nil {
			return err
		}
	}
	if v.Root == nil {
		if err := v.mount(ctx, sess, mounts); err != nil {
			return err
		}
	}
	return v.checkEmpty(ctx, sess)
}

// prepare takes the view, and unpacks the image before where its layers'
// snapshots are not there. Layers that are there are not asked for: a node
// may have discarded their blobs.
func (v *View) prepare(ctx context.Context, sess *session) ([]mount.Mount, error) {
	mounts, err := v.take(ctx, sess)
	if err == nil || !errdefs.IsNotFound(err) {
		return mounts, err
	}
	if err := v.store.checkUnpacking(ctx, sess, v.Image, v.Snapshotter); err != nil {
		return nil, err
	}
	v.store.opts.Notify(fmt.Sprintf("unpacking %s for snapshotter %s", v.Image.Name, v.Snapshotter))
	if err := v.holdImage(ctx, sess, v.Snapshotter); err != nil {
		return nil, err
	}
	stop := v.store.watch(ctx, sess, v.Image, v.Snapshotter)
	defer stop()
	record := images.Image{Name: v.Image.Name, Target: v.Image.Manifest}
	// The manifest is chosen already, so no platform is to be looked for.
	image := containerd.NewImageWithPlatform(sess.client, record, platforms.All)
	if err := image.Unpack(ctx, v.Snapshotter); err != nil {
		if errdefs.IsNotFound(err) {
			return nil, v.unpackable(ctx, sess, err)
		}
		return nil, &UnpackError{Image: v.Image.Name, Snapshotter: v.Snapshotter, Err: v.Image.unknown(err)}
	}
	return v.take(ctx, sess)
}

// checkUnpacking fails where the store cannot unpack the image's layers. A daemon
// may know more media types than an embedded store, and refuses those that it does
// not know, except those that only add a suffix to a tar's. It reads these as if
// they were bare tars, and takes what begins with zeros for an empty one.
func (s *Store) checkUnpacking(ctx context.Context, sess *session, image *Image, snapshotter string) error {
	if err := checkFeatures(ctx, sess, image, snapshotter); err != nil {
		return err
	}
	if s.embedded() {
		return image.checkLayers(layertype.Unpacking)
	}
	for n, l := range image.Layers {
		unread := &LayerTypeError{MediaType: l.MediaType, Digest: l.Digest, Number: n + 1, Of: len(image.Layers)}
		if _, err := images.DiffCompression(ctx, l.MediaType); err == nil && layertype.FormatOf(l.MediaType) == "" && !unread.Encrypted() {
			return fmt.Errorf("reading the layers of image %q: %w", image.Name, unread)
		}
	}
	return nil
}

// unknown adds to the error of a daemon that did not unpack an image which of its
// layers is of a media type that is not known here, either.
func (i *Image) unknown(err error) error {
	if unread := layertype.Check(i.Layers, layertype.Merging); unread != nil {
		return fmt.Errorf("%w: %w", unread, err)
	}
	return err
}

func (v *View) take(ctx context.Context, sess *session) ([]mount.Mount, error) {
	v.Via = ViaView
	return v.viewOf(ctx, sess, v.Image.ChainID().String())
}

// viewOf makes the run's view of the committed snapshot parent; of none where that is
// empty. It takes as long as the snapshotter wants, which may ask a registry. One
// that the daemon makes after ctx has ended goes with the lease that ctx names, or
// is not made for want of it.
func (v *View) viewOf(ctx context.Context, sess *session, parent string) ([]mount.Mount, error) {
	err := v.made.note(func(r *remains) { r.snapshotters, r.taking = []string{v.Snapshotter}, true })
	if err != nil {
		return nil, err
	}
	labels := snapshots.WithLabels(map[string]string{LabelRun: v.Key})
	mounts, err := sess.client.SnapshotService(v.Snapshotter).View(ctx, v.Key, parent, labels)
	if ended(ctx, err) {
		return nil, &ViewError{Source: v.source.String(), Snapshotter: v.Snapshotter, Err: context.Cause(ctx)}
	}
	if err != nil {
		err = &ViewError{Source: v.source.String(), Snapshotter: v.Snapshotter, Err: err}
	}
	return mounts, errors.Join(err, v.made.note(func(r *remains) { r.taking = false }))
}

// ViewError says why a snapshotter of the daemon gave no view of Source. It may be a
// process of its own, which asks registries.
type ViewError struct {
	Source, Snapshotter string
	Err                 error
}

func (e *ViewError) Error() string {
	return fmt.Sprintf("taking a view of %q by snapshotter %q: %v", e.Source, e.Snapshotter, ofSnapshotter(e.Err))
}

func (e *ViewError) Unwrap() error { return e.Err }

// errNoSnapshotter stands for gRPC's words about a connection or a stream.
var errNoSnapshotter = errors.New("the snapshotter does not answer: its process may have ended")

// ofSnapshotter gives an error of a snapshotter for people.
func ofSnapshotter(err error) error {
	if unavailable(err) {
		return errNoSnapshotter
	}
	return err
}

// overlaySnapshotter is containerd's own for overlayfs.
const overlaySnapshotter = "overlayfs"

// openLower opens the layers that the overlayfs snapshotter's mounts name, as
// they lie; Root stays nil where they have to be mounted. The layers are an
// image's, which containerd itself unpacked: overlayfs never wrote to them, and
// all that they have of its marks are whiteouts and opaque directories.
func (v *View) openLower(mounts []mount.Mount) error {
	if v.Snapshotter != overlaySnapshotter {
		return nil
	}
	mounts, err := rootfs.OnHost(v.store.opts.HostRoot, mounts)
	if err == nil {
		v.dirs = rootfs.Dirs(mounts)
		v.Root, v.Lower, err = rootfs.OpenLower(mounts)
	}
	if err != nil {
		return fmt.Errorf("opening the layers of %q: %w", v.source, err)
	}
	return nil
}

// RemoteFileSystem gives the type of a file system on which what is read lies and
// that has its files from a server or a process, as "nfs4" or "fuse.stargz"; empty
// where there is none, or it is not known.
func (v *View) RemoteFileSystem() string {
	dirs := v.dirs
	switch {
	case v.archive != nil && v.source.Name != "-":
		dirs = []string{v.source.Name}
	case v.store != nil && v.store.opts.Location.Dir != "":
		dirs = append(slices.Clone(dirs), v.store.opts.Location.Dir)
	}
	for _, dir := range dirs {
		if found := hostfile.RemoteFileSystem(dir); found != "" {
			return found
		}
	}
	return ""
}
