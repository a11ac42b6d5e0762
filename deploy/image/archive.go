package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationName is where containerd looks for a whole name; image-spec's own
// annotation holds the tag alone.
const annotationName = "io.containerd.image.name"

// write writes the archive (image-spec, image-layout.md) to a file, which is
// removed again where that fails.
func (b *builder) write(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(fmt.Errorf("writing %q: %w", path, err), os.Remove(path))
		}
	}()
	return b.archive(file)
}

func (b *builder) archive(to io.Writer) error {
	// One index for all platforms, and above it the layout's own, which names it.
	image, err := b.blobs.addJSON(ispec.MediaTypeImageIndex, ispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ispec.MediaTypeImageIndex,
		Manifests: b.manifests, Annotations: b.labels(),
	})
	if err != nil {
		return err
	}
	image.Annotations = map[string]string{annotationName: b.name, ispec.AnnotationRefName: b.tag()}
	layout, err := json.Marshal(ispec.ImageLayout{Version: ispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	index, err := json.Marshal(ispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ispec.MediaTypeImageIndex, Manifests: []ispec.Descriptor{image},
	})
	if err != nil {
		return err
	}
	w := tar.NewWriter(to)
	if err := b.file(w, ispec.ImageLayoutFile, layout); err != nil {
		return err
	}
	if err := b.file(w, ispec.ImageIndexFile, index); err != nil {
		return err
	}
	for _, d := range slices.Sorted(maps.Keys(b.blobs)) {
		if err := b.file(w, "blobs/"+d.Algorithm().String()+"/"+d.Encoded(), b.blobs[d]); err != nil {
			return err
		}
	}
	return w.Close()
}

func (b *builder) file(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data)), ModTime: b.created}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}
