package snapshot

import (
	"context"
	"fmt"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"

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
// may know more media types than an embedded store, and says what it does not
// know, but for those that only add a suffix to a tar's: these it reads as if they
// were bare tars, and what begins with zeros it takes for an empty one.
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
	mounts, err := v.viewOf(ctx, sess, v.Image.ChainID().String())
	if err != nil {
		return nil, fmt.Errorf("taking a view of image %q: %w", v.Image.Name, err)
	}
	return mounts, nil
}

// viewOf makes a view of the committed snapshot parent; of none where that is
// empty.
func (v *View) viewOf(ctx context.Context, sess *session, parent string) ([]mount.Mount, error) {
	v.Via = ViaView
	whole, cancel := undoing(ctx) // as in leased
	defer cancel()
	return takeView(whole, sess, v.Snapshotter, v.Key, parent)
}

// takeView makes the view of the run named key.
func takeView(ctx context.Context, sess *session, snapshotter, key, parent string) ([]mount.Mount, error) {
	return sess.client.SnapshotService(snapshotter).View(ctx, key, parent, snapshots.WithLabels(map[string]string{LabelRun: key}))
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
		v.Root, v.Lower, err = rootfs.OpenLower(mounts)
	}
	if err != nil {
		return fmt.Errorf("opening the layers of %q: %w", v.source, err)
	}
	return nil
}
