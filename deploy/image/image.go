package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "crypto/sha256" // go-digest finds the algorithm only where it is linked in
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// program is where the binary lies in the image.
const program = "usr/bin/ctr-rootfs"

// blobs are what a layout keeps below blobs/.
type blobs map[digest.Digest][]byte

func (b blobs) add(mediaType string, data []byte) ispec.Descriptor {
	d := digest.FromBytes(data)
	b[d] = data
	return ispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func (b blobs) addJSON(mediaType string, document any) (ispec.Descriptor, error) {
	data, err := json.Marshal(document)
	if err != nil {
		return ispec.Descriptor{}, fmt.Errorf("encoding a %s: %w", mediaType, err)
	}
	return b.add(mediaType, data), nil
}

// builder gathers an image of several platforms.
type builder struct {
	name, revision string
	created        time.Time
	blobs          blobs
	manifests      []ispec.Descriptor
}

// add puts the image of a platform together, which is "os/arch".
func (b *builder) add(platform, binary string) error {
	system, architecture, ok := strings.Cut(platform, "/")
	if !ok || binary == "" {
		return fmt.Errorf("reading the command line: %q is not PLATFORM=BINARY", platform+"="+binary)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("reading the program for %s: %w", platform, err)
	}
	layer, err := b.layer(data)
	if err != nil {
		return fmt.Errorf("making the layer for %s: %w", platform, err)
	}
	compressed, err := zipped(layer)
	if err != nil {
		return fmt.Errorf("compressing the layer for %s: %w", platform, err)
	}
	p := ispec.Platform{OS: system, Architecture: architecture}
	config, err := b.blobs.addJSON(ispec.MediaTypeImageConfig, b.config(p, digest.FromBytes(layer)))
	if err != nil {
		return err
	}
	manifest, err := b.blobs.addJSON(ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   ispec.MediaTypeImageManifest,
		Config:      config,
		Layers:      []ispec.Descriptor{b.blobs.add(ispec.MediaTypeImageLayerGzip, compressed)},
		Annotations: b.labels(),
	})
	if err != nil {
		return err
	}
	manifest.Platform = &p
	b.manifests = append(b.manifests, manifest)
	return nil
}

// layer is the whole root: the program, and a place for what layers inflate to
// where --spool names none.
func (b *builder) layer(binary []byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range []tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "usr/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "usr/bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: program, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))},
	} {
		h.ModTime = b.created
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// zipped has no name and no time in its header.
func zipped(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// config runs the program as root, which is whom it needs for a view; where
// that is too much, whoever runs the image says another user.
func (b *builder) config(p ispec.Platform, diffID digest.Digest) ispec.Image {
	return ispec.Image{
		Created:  &b.created,
		Author:   "the ctr-rootfs authors",
		Platform: p,
		Config: ispec.ImageConfig{
			User:       "0:0",
			Env:        []string{"PATH=/usr/bin"},
			Entrypoint: []string{"/" + program},
			WorkingDir: "/",
			Labels:     b.labels(),
		},
		RootFS:  ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{diffID}},
		History: []ispec.History{{Created: &b.created, CreatedBy: "make image"}},
	}
}

// labels are those of image-spec, annotations.md.
func (b *builder) labels() map[string]string {
	labels := map[string]string{
		ispec.AnnotationTitle:       "ctr-rootfs",
		ispec.AnnotationDescription: "A container image's root filesystem, as a tar or an OCI bundle, from containerd",
		ispec.AnnotationSource:      "https://github.com/ctr-rootfs/ctr-rootfs",
		ispec.AnnotationLicenses:    "Apache-2.0",
		ispec.AnnotationVersion:     b.tag(),
		ispec.AnnotationCreated:     b.created.Format(time.RFC3339),
	}
	if b.revision != "" {
		labels[ispec.AnnotationRevision] = b.revision
	}
	return labels
}

func (b *builder) tag() string { return b.name[strings.LastIndexByte(b.name, ':')+1:] }
