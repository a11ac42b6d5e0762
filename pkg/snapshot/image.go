package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// Image is one platform's image: what its manifest and config say.
type Image struct {
	// Name is the image's name in the store, or SOURCE for an archive.
	Name string
	// Target is what the name stands for (often an index), Manifest the
	// chosen platform's.
	Target, Manifest ispec.Descriptor
	// Layers are all that the manifest lists, of whatever media type.
	Layers []ispec.Descriptor
	Config ispec.Image
	// Unread holds the fields of the config that are empty in Config because their
	// values have the wrong type, each with the reason. The keys are the names of
	// image-spec's config.md, as in "created" or "config.Cmd". Platform and rootfs
	// are never among them: without those there is no Image.
	Unread map[string]error
	// ConfigBlob describes the config's blob.
	ConfigBlob ispec.Descriptor
	// Platform is what the index says of the manifest, else the config.
	Platform ispec.Platform

	// path leads from the target over indexes to the manifest.
	path []ispec.Descriptor
	// attached says that the manifest is attached to another one, or another form
	// of it.
	attached bool
}

// Known says whether there is an image at all: that of a snapshot, and of a
// container whose image is gone or renamed, is not known.
func (i *Image) Known() bool { return i.Manifest.Digest != "" }

// documents lists the blobs that are no layers.
func (i *Image) documents() []ispec.Descriptor {
	return []ispec.Descriptor{i.Manifest, i.ConfigBlob}
}

// ChainID identifies the stack of the image's layers: the key of its
// committed snapshot, empty for an image without layers.
func (i *Image) ChainID() digest.Digest { return i.chainID(len(i.Config.RootFS.DiffIDs)) }

// chainID identifies the stack of the lowest n layers (image-spec, config.md,
// "Layer ChainID").
func (i *Image) chainID(n int) digest.Digest {
	// identity.ChainID writes into its argument.
	return identity.ChainID(slices.Clone(i.Config.RootFS.DiffIDs[:n]))
}

// PlatformText gives the image's platform as "os[(version+features)]/arch[/variant]",
// empty for an image that is not known.
func (i *Image) PlatformText() string {
	if i.Platform.OS == "" {
		return ""
	}
	return document.Format(i.Platform)
}

// load reads the manifest that desc names, and its config.
func load(ctx context.Context, blobs content.Provider, name string, desc ispec.Descriptor) (*Image, error) {
	manifest, config, err := document.Image(ctx, blobs, desc)
	if err != nil {
		return nil, err
	}
	image := &Image{
		Name: name, Target: desc, Manifest: desc, ConfigBlob: manifest.Config, Config: config.Image, Unread: config.Unread,
		Platform: document.PlatformOf(desc.Platform, config.Platform),
		attached: document.Attachment(manifest),
	}
	if err := image.list(manifest); err != nil {
		return nil, err
	}
	return image, nil
}

// list fills in the manifest's layers.
func (i *Image) list(manifest ispec.Manifest) error {
	i.Layers = manifest.Layers
	layers, ids := 0, len(i.Config.RootFS.DiffIDs)
	for _, l := range i.Layers {
		if document.IsLayer(l) {
			layers++
		}
	}
	// containerd unpacks an image that has artifacts beside its layers, of which
	// its config has no diff IDs: a view can be had of it. Another thing's manifest
	// (a chart's, a model's) has no layers and no diff IDs.
	if layers != ids || layers == 0 && len(i.Layers) > 0 {
		if err := layertype.Check(i.Layers, layertype.Merging); err != nil {
			return fmt.Errorf("reading manifest %s: %w", i.Manifest.Digest, err)
		}
		return fmt.Errorf("reading manifest %s: it lists %d layers, its config %d diff IDs", i.Manifest.Digest, layers, ids)
	}
	return nil
}

// checkLayers fails where a layer is of a media type that is not read in this
// way: no layer is passed over, because the root is what all of them make
// (image-spec, manifest.md, "layers").
func (i *Image) checkLayers(way layertype.Way) error {
	if err := layertype.Check(i.Layers, way); err != nil {
		return fmt.Errorf("reading the layers of image %q: %w", i.Name, err)
	}
	return nil
}

// wanted is the platform to look for.
type wanted = document.Wanted

// platform reads a request's platform.
func platform(text string) (wanted, error) { return document.Platform(text) }

// CheckPlatform says whether text is a platform that Request takes.
func CheckPlatform(text string) error {
	_, err := platform(text)
	return err
}
