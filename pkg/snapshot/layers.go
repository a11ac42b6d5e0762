package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// Layer is a layer of an image that is read as it is, without unpacking. It has
// the fields of layers.Layer, so that layers.Layer(l) makes one of the other.
type Layer struct {
	Descriptor ispec.Descriptor
	// DiffID is the digest of the uncompressed tar, as the config has it.
	DiffID digest.Digest
	// Open gives the blob, whose digest nobody has verified; the caller closes
	// it before the View.
	Open func(context.Context) (Blob, error)
	// InPlace says that the blob lies in a file of this host.
	InPlace bool
}

// Blob is the bytes of a layer and how many there are.
type Blob = interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// OpenArchive opens an image of an archive or layout by its layers: it needs no
// store and no privilege. Of o only Progress and MaxBytes count. The caller closes
// the view.
func OpenArchive(ctx context.Context, req Request, o Options) (*View, error) {
	return hostfile.Settle(ctx, func() (*View, error) { return openArchive(ctx, req, o) }, func(v *View, err error) {
		if err == nil {
			_ = v.Close(ctx) // nothing was written
		}
	})
}

func openArchive(ctx context.Context, req Request, o Options) (*View, error) {
	if !req.Source.InArchive() {
		return nil, fmt.Errorf("opening archive %q: it is of the kind %q", req.Source, req.Source.Kind)
	}
	want, err := platform(req.Platform)
	if err != nil {
		return nil, err
	}
	c, err := openCollection(ctx, req, o)
	if err != nil {
		return nil, asArchive(ctx, req.Source, err)
	}
	image, err := chosenOrOther(ctx, c, req.Source, want.Reading(layerFeatures()), layertype.Merging)
	if err != nil {
		return nil, asArchive(ctx, req.Source, errors.Join(err, c.Close()))
	}
	v := &View{Image: image, Via: ViaLayers, source: req.Source, archive: c}
	v.Layers = layersOf(image, func(ctx context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
		return document.Open(ctx, c, desc)
	}, true)
	return v, nil
}

// openLayers finds the blobs of a named image, which is pulled before where
// that is to be done, but not unpacked.
func (v *View) openLayers(ctx context.Context, sess *session, req Request, want wanted) error {
	ctx, err := v.hold(ctx, sess, nil)
	if err != nil {
		return err
	}
	if v.Image, err = v.store.named(ctx, sess, req, want); err != nil {
		return err
	}
	if err := v.Image.checkLayers(layertype.Merging); err != nil {
		return err
	}
	v.Via = ViaLayers
	if err := v.holdImage(ctx, sess, ""); err != nil {
		return err
	}
	missing, err := firstMissing(ctx, sess.client.ContentStore(), v.Image.Layers)
	if err != nil {
		return fmt.Errorf("reading the layers of image %q: %w", v.Image.Name, err)
	}
	if missing != nil {
		return &DiscardedError{Image: v.Image.Name, Err: fmt.Errorf("layer %s: %w", missing.Digest, errdefs.ErrNotFound)}
	}
	blobs, inPlace, err := v.store.backend.blobs()
	if err != nil {
		return err
	}
	v.Layers = layersOf(v.Image, func(ctx context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
		return document.Open(v.store.inNamespace(ctx), blobs, desc)
	}, inPlace)
	return nil
}

func layersOf(image *Image, open func(context.Context, ispec.Descriptor) (content.ReaderAt, error), inPlace bool) []Layer {
	var all []Layer
	for i, desc := range image.Layers {
		all = append(all, Layer{
			Descriptor: desc,
			DiffID:     image.Config.RootFS.DiffIDs[i],
			Open:       func(ctx context.Context) (Blob, error) { return open(ctx, desc) },
			InPlace:    inPlace,
		})
	}
	return all
}
