package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// collection is a layout or an archive: images that stand in no store.
type collection interface {
	content.Provider
	index(ctx context.Context) (ispec.Index, error)
	close() error
}

// openCollection opens what the request's source names. Blobs that cannot be
// read where they lie are written to a spool in the request's SpoolDir.
func openCollection(ctx context.Context, req Request, o Options) (collection, error) {
	if req.Source.Kind == OCILayout {
		return layout(req.Source.Name), nil
	}
	return openTarArchive(ctx, req, o)
}

// chosen gives the image of c that the request asks for.
func chosen(ctx context.Context, c collection, src Source, want wanted) (*Image, error) {
	index, err := c.index(ctx)
	if err != nil {
		return nil, err
	}
	if len(index.Manifests) == 0 {
		return nil, errors.New("its index lists no image")
	}
	targets, err := referenced(index, src)
	if err != nil {
		return nil, err
	}
	image, err := choose(ctx, c, src.String(), targets, want)
	if err != nil {
		return nil, err
	}
	// Whoever asks for the layers later is told first that one is missing.
	for i, layer := range image.Layers {
		ra, err := c.ReaderAt(ctx, layer)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		if err := ra.Close(); err != nil {
			return nil, err
		}
	}
	return image, nil
}

// documents are blobs that were made or read here, by digest.
type documents map[digest.Digest][]byte

func (d documents) add(mediaType string, data []byte) ispec.Descriptor {
	desc := ispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	d[desc.Digest] = data
	return desc
}

// section is a part of a file as a blob.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

func inMemory(data []byte) content.ReaderAt {
	return section{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}
}
