package document

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/imageconfig"
)

// kind is a kind of document.
type kind struct {
	name string
	// is says whether a media type is of this kind; nil for configs, which have a
	// media type of their own in artifacts.
	is func(mediaType string) bool
	// never lists the members that only other kinds have.
	never []string
}

// schema1Layers is the member that lists the layers in a manifest of docker's
// schema 1.
const schema1Layers = "fsLayers"

var (
	indexKind    = kind{"index", images.IsIndexType, []string{"config", "layers", schema1Layers}}
	manifestKind = kind{"manifest", images.IsManifestType, []string{"manifests", schema1Layers}}
	configKind   = kind{"config", nil, []string{"manifests", "layers", schema1Layers}}
)

// Index reads the index that desc describes.
func Index(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) (index ispec.Index, err error) {
	err = get(ctx, blobs, desc, indexKind, &index)
	return index, err
}

// Manifest reads the manifest that desc describes. The descriptors in it pass Check.
func Manifest(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) (manifest ispec.Manifest, err error) {
	if err := get(ctx, blobs, desc, manifestKind, &manifest); err != nil {
		return manifest, err
	}
	if manifest.Config.Digest == "" {
		return manifest, fmt.Errorf("reading manifest %s: it names no config", desc.Digest)
	}
	if t := manifest.Config.MediaType; images.IsIndexType(t) || images.IsManifestType(t) {
		return manifest, fmt.Errorf("reading manifest %s: its config has the media type %q", desc.Digest, t)
	}
	if err := Check(manifest.Config); err != nil {
		return manifest, fmt.Errorf("reading manifest %s: config: %w", desc.Digest, err)
	}
	for i, layer := range manifest.Layers {
		if err := Check(layer); err != nil {
			return manifest, fmt.Errorf("reading manifest %s: layer %d of %d: %w", desc.Digest, i+1, len(manifest.Layers), err)
		}
	}
	return manifest, nil
}

// Image reads the manifest that desc describes, and its config. A manifest that is no
// image's is an ArtifactError.
func Image(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) (m ispec.Manifest, config imageconfig.Config, err error) {
	if m, err = Manifest(ctx, blobs, desc); err != nil {
		return m, config, err
	}
	if artifact := artifactOf(desc, m); artifact != nil {
		return m, config, artifact
	}
	data, err := read(ctx, blobs, m.Config)
	if err == nil && !imageConfig(m.Config.MediaType) && !namesLayers(data) {
		return m, config, describe(desc, m)
	}
	if err == nil {
		config, err = parseConfig(data)
	}
	if err != nil {
		return m, config, fmt.Errorf("reading %s %s: %w", m.Config.MediaType, m.Config.Digest, err)
	}
	if unlike(m, config.Image) {
		return m, config, describe(desc, m)
	}
	return m, config, nil
}

// namesLayers says whether a config that is not said to be an image's is one all the
// same: some builders give it another media type. It need not even be JSON.
func namesLayers(data []byte) bool {
	var config struct {
		RootFS struct {
			DiffIDs []json.RawMessage `json:"diff_ids"`
		} `json:"rootfs"`
	}
	return json.Unmarshal(data, &config) == nil && len(config.RootFS.DiffIDs) > 0
}

func parseConfig(data []byte) (config imageconfig.Config, err error) {
	if err := configKind.parse(data, "", &config); err != nil {
		return config, err
	}
	// config.md: "Implementations MUST generate an error if they encounter a unknown
	// value". Some builders leave it out.
	if t := config.RootFS.Type; t != "" && t != "layers" {
		return config, fmt.Errorf("its rootfs has the type %q, not \"layers\"", t)
	}
	return config, nil
}

// ParseIndex reads an index that no descriptor describes: that of a layout.
func ParseIndex(data []byte) (index ispec.Index, err error) {
	err = indexKind.parse(data, "", &index)
	return index, err
}

// Children lists the documents that the one described by desc names and that may be
// an image's: manifests and indexes of an index, the config of a manifest.
func Children(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) ([]ispec.Descriptor, error) {
	switch {
	case images.IsIndexType(desc.MediaType):
		index, err := Index(ctx, blobs, desc)
		return slices.DeleteFunc(index.Manifests, func(d ispec.Descriptor) bool { return Entry(d) != nil }), err
	case images.IsManifestType(desc.MediaType):
		manifest, err := Manifest(ctx, blobs, desc)
		if err != nil || artifactOf(desc, manifest) != nil {
			return nil, err
		}
		return []ispec.Descriptor{manifest.Config}, nil
	}
	return nil, nil
}

func get(ctx context.Context, blobs content.Provider, desc ispec.Descriptor, k kind, into any) error {
	data, err := read(ctx, blobs, desc)
	if err == nil {
		err = k.parse(data, desc.MediaType, into)
	}
	if err != nil {
		return fmt.Errorf("reading %s %s: %w", desc.MediaType, desc.Digest, err)
	}
	return nil
}

// parse reads a document of this kind, which says of itself that it is of another
// one neither by its media type nor by what it holds: readers of images would take
// it for different things (CVE-2021-41190). mediaType is that of its descriptor,
// empty where there is none.
func (k kind) parse(data []byte, mediaType string, into any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return errors.New("it is not a JSON object")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	members, err := unambiguous(data, reflect.TypeOf(into).Elem())
	if err != nil {
		return err
	}
	for _, name := range k.never {
		if has(members, name) {
			return fmt.Errorf("it is not only the %s that its descriptor says: it has %q", k.name, name)
		}
	}
	own, version, err := ofItself(data, members, into)
	// A program in Go that leaves the version out writes 0.
	switch {
	case err != nil:
		return err
	case k.is == nil && (images.IsIndexType(own) || images.IsManifestType(own)),
		k.is != nil && own != "" && !k.is(own),
		k.is != nil && own != "" && mediaType != "" && own != mediaType:
		return fmt.Errorf("it says of itself that it is %q", own)
	case version != 0 && version != 2:
		return fmt.Errorf("its schema version is %d, not 2", version)
	}
	return nil
}

// ofItself gives the media type and the schema version that a parsed document has in
// itself. A config has neither by its specification.
func ofItself(data []byte, members []string, parsed any) (mediaType string, version int, err error) {
	switch v := parsed.(type) {
	case *ispec.Index:
		return v.MediaType, v.SchemaVersion, nil
	case *ispec.Manifest:
		return v.MediaType, v.SchemaVersion, nil
	}
	var own struct {
		MediaType string `json:"mediaType"`
	}
	if has(members, "mediaType") {
		err = json.Unmarshal(data, &own)
	}
	return own.MediaType, 0, err
}
