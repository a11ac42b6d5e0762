package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/imageconfig"
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
	Platform   ispec.Platform
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

// PlatformText gives the image's platform as "os/arch[/variant]", empty for an
// image that is not known.
func (i *Image) PlatformText() string {
	if i.Platform.OS == "" {
		return ""
	}
	return platforms.Format(i.Platform)
}

// wanted is the platform to look for: text as the user wrote it, else this
// host's.
type wanted struct {
	text  string
	match platforms.MatchComparer
}

// platform reads a platform as "os/arch[/variant]". One that is asked for is
// matched strictly: a user who says arm64 does not want arm/v7.
func platform(text string) (wanted, error) {
	if text == "" {
		spec := platforms.DefaultSpec()
		// An image of files needs no kernel of its own kind, but Linux's are
		// the ones with a Linux root filesystem.
		spec.OS = "linux"
		return wanted{platforms.Format(spec), platforms.Only(spec)}, nil
	}
	p, err := platforms.Parse(text)
	if err != nil {
		return wanted{}, fmt.Errorf("parsing platform %q: %w", text, err)
	}
	return wanted{platforms.Format(p), platforms.OnlyStrict(p)}, nil
}

// choose finds the manifest for the wanted platform among targets, and reads
// it and its config. The image is named for errors only.
func choose(ctx context.Context, blobs content.Provider, name string, targets []ispec.Descriptor, want wanted) (*Image, error) {
	found, odd, err := manifests(ctx, blobs, targets...)
	if err != nil {
		return nil, err
	}
	var have []string
	var fit []ispec.Descriptor
	for _, m := range found {
		if want.match.Match(*m.Platform) {
			fit = append(fit, m)
		}
		have = append(have, platforms.Format(*m.Platform))
	}
	if len(fit) == 0 && len(found) == 1 && len(odd) == 0 && unnamed(*found[0].Platform) {
		fit = found
	}
	if len(found) == 0 && len(odd) > 0 {
		return nil, errors.Join(odd...)
	}
	if len(fit) == 0 {
		return nil, errors.Join(&PlatformError{Image: name, Want: want.text, Have: have}, errors.Join(odd...))
	}
	sort.SliceStable(fit, func(i, j int) bool { return want.match.Less(*fit[i].Platform, *fit[j].Platform) })
	return load(ctx, blobs, name, fit[0])
}

// unnamed says whether p names no architecture. image-spec requires one, but
// what assembles images of files may write none, and containerd and docker take
// such an image where there is no other to choose.
func unnamed(p ispec.Platform) bool {
	return p.Architecture == "" && (p.OS == "" || p.OS == "linux")
}

// orUnnamed has a pull fetch the manifests that name no architecture, too: whether
// one of them is meant only choose can tell.
type orUnnamed struct{ platforms.MatchComparer }

func (m orUnnamed) Match(p ispec.Platform) bool { return unnamed(p) || m.MatchComparer.Match(p) }

func (m orUnnamed) Less(a, b ispec.Platform) bool {
	if unnamed(a) != unnamed(b) {
		return unnamed(b)
	}
	return m.MatchComparer.Less(a, b)
}

// load reads the manifest that desc names, and its config.
func load(ctx context.Context, blobs content.Provider, name string, desc ispec.Descriptor) (*Image, error) {
	var manifest ispec.Manifest
	if err := document(ctx, blobs, desc, &manifest); err != nil {
		return nil, err
	}
	if manifest.Config.Digest == "" {
		return nil, fmt.Errorf("reading manifest %s: it names no config", desc.Digest)
	}
	image := &Image{Name: name, Target: desc, Manifest: desc, ConfigBlob: manifest.Config}
	if err := image.read(ctx, blobs, manifest); err != nil {
		if isArtifact(manifest) {
			err = artifactError{err}
		}
		return nil, err
	}
	return image, nil
}

// artifactError is why an artifact, which is no image and never was to be one,
// cannot be read as one.
type artifactError struct{ error }

func (e artifactError) Unwrap() error { return e.error }

// isArtifact says whether a manifest names another thing's config than an image's,
// or layers of which none is one's (image-spec, manifest.md, "Guidelines for
// Artifact Usage"). Odd images have such a config, too: it is asked of what cannot
// be read.
func isArtifact(m ispec.Manifest) bool {
	return !images.IsConfigType(m.Config.MediaType) || len(m.Layers) > 0 && !slices.ContainsFunc(m.Layers, isLayer)
}

// isLayer says whether a descriptor is a layer's, for containerd or here.
func isLayer(d ispec.Descriptor) bool {
	return images.IsLayerType(d.MediaType) || layertype.FormatOf(d.MediaType) != ""
}

// read fills in the config, its platform, and the manifest's layers.
func (i *Image) read(ctx context.Context, blobs content.Provider, manifest ispec.Manifest) error {
	var config imageconfig.Config
	if err := document(ctx, blobs, manifest.Config, &config); err != nil {
		return err
	}
	i.Config, i.Unread = config.Image, config.Unread
	i.Layers = manifest.Layers
	layers, ids := 0, len(i.Config.RootFS.DiffIDs)
	for _, l := range i.Layers {
		if isLayer(l) {
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
	i.Platform = platforms.Normalize(i.Config.Platform)
	return nil
}

// checkLayers fails where a layer is of a media type that is not read in this
// way: no layer is passed over, since the root is what all of them make
// (image-spec, manifest.md, "layers").
func (i *Image) checkLayers(way layertype.Way) error {
	if err := layertype.Check(i.Layers, way); err != nil {
		return fmt.Errorf("reading the layers of image %q: %w", i.Name, err)
	}
	return nil
}

// document reads the JSON blob that desc names, and checks its digest: it may
// come from a directory that nobody has verified.
func document(ctx context.Context, blobs content.Provider, desc ispec.Descriptor, into any) error {
	if err := desc.Digest.Validate(); err != nil {
		return fmt.Errorf("reading %s %q: %w", desc.MediaType, desc.Digest, err)
	}
	if desc.Size < 0 {
		return fmt.Errorf("reading %s %s: its size is said to be %d", desc.MediaType, desc.Digest, desc.Size)
	}
	if desc.Size > archive.MaxDocument {
		return fmt.Errorf("reading %s %s: %d bytes are more than the %d that such a document may have", desc.MediaType, desc.Digest, desc.Size, archive.MaxDocument)
	}
	ra, err := blobs.ReaderAt(ctx, desc)
	if err != nil {
		return fmt.Errorf("reading %s %s: %w", desc.MediaType, desc.Digest, err)
	}
	defer ra.Close()
	if ra.Size() > archive.MaxDocument {
		return fmt.Errorf("reading %s %s: %d bytes are more than the %d that such a document may have", desc.MediaType, desc.Digest, ra.Size(), archive.MaxDocument)
	}
	data := make([]byte, ra.Size())
	if n, err := ra.ReadAt(data, 0); n < len(data) {
		return fmt.Errorf("reading %s %s: %w", desc.MediaType, desc.Digest, err)
	}
	if got := desc.Digest.Algorithm().FromBytes(data); got != desc.Digest {
		return fmt.Errorf("reading %s %s: its digest is %s", desc.MediaType, desc.Digest, got)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading %s %s: %w", desc.MediaType, desc.Digest, err)
	}
	return nil
}

// CheckPlatform says whether text is a platform that Request takes.
func CheckPlatform(text string) error {
	_, err := platform(text)
	return err
}
