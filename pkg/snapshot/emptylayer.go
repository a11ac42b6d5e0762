package snapshot

import (
	"context"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// checkEmpty looks at the blobs of layers that may have nothing in them, where a
// daemon unpacked the image: containerd makes an empty layer of whatever begins with
// zeros, as filesystems do. Layers whose blobs are gone are not looked at.
func (v *View) checkEmpty(ctx context.Context, sess *session) error {
	if v.store.embedded() {
		return nil // its differ has looked
	}
	for _, n := range v.emptyLayers() {
		if err := checkStart(ctx, sess.client.ContentStore(), v.Image.Layers[n]); err != nil {
			return fmt.Errorf("reading layer %d of %d (blob %s) of image %q: %w", n+1, len(v.Image.Layers), v.Image.Layers[n].Digest, v.Image.Name, err)
		}
	}
	return nil
}

// emptyLayers gives the numbers of the layers that have nothing in them, and of all
// layers where they are not seen one by one.
func (v *View) emptyLayers() (suspects []int) {
	apart := len(v.Lower) == len(v.Image.Layers)
	for n := range v.Image.Layers {
		empty := !apart
		if apart {
			// A directory that cannot be read is the error of whoever reads the tree.
			empty, _ = rootfs.IsEmpty(v.Root, v.Lower[len(v.Lower)-1-n])
		}
		if empty {
			suspects = append(suspects, n)
		}
	}
	return suspects
}

// checkStart is a *LayerContentError where a layer begins as an empty tar does and
// is none. What else is wrong with its blob does not matter to a view.
func checkStart(ctx context.Context, blobs content.Provider, layer ispec.Descriptor) error {
	if layertype.FormatOf(layer.MediaType) != layertype.Tar {
		return nil // a daemon that has unpacked it knows more of it
	}
	ra, err := blobs.ReaderAt(ctx, layer)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer ra.Close()
	stream, err := inflate.NewReader(content.NewReader(ra), inflate.Options{Sync: true})
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	defer func() { _ = stream.Close() }() // it was only read
	var check layertype.TarCheck
	for !check.Settled() {
		if _, err := io.CopyN(&check, stream, inflate.BufferSize); err != nil {
			break
		}
	}
	return check.Explain(layer.MediaType, nil)
}
