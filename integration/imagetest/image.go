package imagetest

import (
	"bytes"
	"compress/gzip"
	_ "crypto/sha256" // go-digest finds the algorithm only where it is linked in
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Compression is how an image's layers are stored.
type Compression int

// The compressions of image-spec's layer media types.
const (
	Gzip Compression = iota
	Plain
	Zstd
)

// Image is one platform's image.
type Image struct {
	// Platform is linux on this machine's architecture where it is zero.
	Platform ispec.Platform
	// Created is left out of the config where it is nil.
	Created *time.Time
	Config  ispec.ImageConfig
	// Fields are put into the JSON of the whole config, each in the place of the
	// field with its name: values that no field of Go's could have.
	Fields map[string]any
	Layers []Layer
	// Tars are layers above Layers, as their uncompressed bytes.
	Tars [][]byte
	// Blobs are layers above those, as they are stored.
	Blobs       []Blob
	Compression Compression
}

// Content is what a store of content holds for some images: blobs, and the
// index.json that names their roots.
type Content struct {
	Blobs map[digest.Digest][]byte
	Index ispec.Index
}

// Build makes the content of one named image; more than one Image makes a
// multi-platform index, in the order given. An empty name gives no annotation.
func Build(name string, images ...Image) (*Content, error) {
	c := &Content{Blobs: map[digest.Digest][]byte{}}
	var manifests []ispec.Descriptor
	for i, image := range images {
		d, err := c.addImage(image)
		if err != nil {
			return nil, fmt.Errorf("building image %d of %q: %w", i, name, err)
		}
		manifests = append(manifests, d)
	}
	root := ispec.Descriptor{}
	if len(manifests) == 1 {
		root = manifests[0]
	} else {
		var err error
		if root, err = c.addJSON(ispec.MediaTypeImageIndex, newIndex(manifests...)); err != nil {
			return nil, err
		}
	}
	if name != "" {
		// containerd reads the first for the full name, everybody else the
		// second for the tag; see image-spec, annotations.md.
		root.Annotations = map[string]string{"io.containerd.image.name": name, ispec.AnnotationRefName: name}
	}
	c.Index = newIndex(root)
	return c, nil
}

// Add puts another content's images behind those of c.
func (c *Content) Add(other *Content) {
	maps.Copy(c.Blobs, other.Blobs)
	c.Index.Manifests = append(c.Index.Manifests, other.Index.Manifests...)
}

func newIndex(manifests ...ispec.Descriptor) ispec.Index {
	return ispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ispec.MediaTypeImageIndex,
		Manifests: manifests,
	}
}

func (c *Content) addImage(image Image) (ispec.Descriptor, error) {
	config := image.config()
	layers := make([]ispec.Descriptor, 0, len(image.Layers))
	for _, data := range image.tars() {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(data))
		mediaType, blob, err := compress(data, image.Compression)
		if err != nil {
			return ispec.Descriptor{}, err
		}
		layers = append(layers, c.add(mediaType, blob))
	}
	for _, b := range image.Blobs {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, b.DiffID)
		mediaType := ispec.MediaTypeImageLayerGzip
		if b.MediaType != nil {
			mediaType = *b.MediaType
		}
		layers = append(layers, c.add(mediaType, b.Data))
	}
	document, err := image.withFields(config)
	if err != nil {
		return ispec.Descriptor{}, err
	}
	configDescriptor, err := c.addJSON(ispec.MediaTypeImageConfig, document)
	if err != nil {
		return ispec.Descriptor{}, err
	}
	d, err := c.addJSON(ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ispec.MediaTypeImageManifest,
		Config:    configDescriptor,
		Layers:    layers,
	})
	if err != nil {
		return ispec.Descriptor{}, err
	}
	d.Platform = &config.Platform
	return d, nil
}

func (image Image) tars() [][]byte {
	var tars [][]byte
	for _, l := range image.Layers {
		tars = append(tars, l.Tar())
	}
	return append(tars, image.Tars...)
}

// config is the image's config without its diff IDs.
func (image Image) config() ispec.Image {
	config := ispec.Image{
		Created:  image.Created,
		Platform: image.Platform,
		Config:   image.Config,
		RootFS:   ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}},
	}
	if config.OS == "" {
		config.OS, config.Architecture = "linux", runtime.GOARCH
	}
	return config
}

// withFields is the config with Fields in it.
func (image Image) withFields(config ispec.Image) (any, error) {
	if len(image.Fields) == 0 {
		return config, nil
	}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	maps.Copy(all, image.Fields)
	return all, nil
}

func (c *Content) addJSON(mediaType string, v any) (ispec.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return ispec.Descriptor{}, fmt.Errorf("encoding %s: %w", mediaType, err)
	}
	return c.add(mediaType, data), nil
}

func (c *Content) add(mediaType string, data []byte) ispec.Descriptor {
	d := digest.FromBytes(data)
	c.Blobs[d] = data
	return ispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func compress(data []byte, c Compression) (mediaType string, blob []byte, err error) {
	var out bytes.Buffer
	switch c {
	case Plain:
		return ispec.MediaTypeImageLayer, data, nil
	case Zstd:
		// One encoder at a time: frames cut by several differ with the cores.
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return "", nil, fmt.Errorf("starting zstd: %w", err)
		}
		return ispec.MediaTypeImageLayerZstd, enc.EncodeAll(data, nil), nil
	default:
		w := gzip.NewWriter(&out)
		if _, err := w.Write(data); err != nil {
			return "", nil, fmt.Errorf("compressing a layer: %w", err)
		}
		if err := w.Close(); err != nil {
			return "", nil, fmt.Errorf("compressing a layer: %w", err)
		}
		return ispec.MediaTypeImageLayerGzip, out.Bytes(), nil
	}
}
