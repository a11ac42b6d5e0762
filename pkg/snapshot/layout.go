package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fromLayout copies one platform's image out of an OCI layout (image-spec,
// image-layout.md) into the store.
func (s *Store) fromLayout(ctx context.Context, store content.Store, src Source, want wanted) (*Image, error) {
	dir := layout(src.Name)
	index, err := dir.index()
	if err != nil {
		return nil, err
	}
	targets, err := referenced(index, src)
	if err != nil {
		return nil, err
	}
	image, err := choose(ctx, dir, src.String(), targets, want)
	if err != nil {
		return nil, err
	}
	step := Step{Stage: StageReading, Unit: "bytes"}
	for _, layer := range image.Layers {
		step.Total += layer.Size
	}
	for _, desc := range append(image.documents(), image.Layers...) {
		if s.opts.Progress != nil {
			s.opts.Progress(step)
		}
		if err := dir.copy(ctx, store, desc); err != nil {
			return nil, err
		}
		step.Done += desc.Size
	}
	return image, nil
}

// layout is a directory that holds blobs by digest; it is only ever read.
type layout string

func (l layout) index() (index ispec.Index, err error) {
	var marker ispec.ImageLayout
	if err := l.json(ispec.ImageLayoutFile, &marker); err != nil {
		return index, err
	}
	if marker.Version != ispec.ImageLayoutVersion {
		return index, fmt.Errorf("its layout version is %q, not %q", marker.Version, ispec.ImageLayoutVersion)
	}
	return index, l.json(ispec.ImageIndexFile, &index)
}

func (l layout) json(name string, into any) error {
	f, err := os.Open(filepath.Join(string(l), name))
	if err != nil {
		return fmt.Errorf("opening %q: %w", name, err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxDocument)).Decode(into); err != nil {
		return fmt.Errorf("parsing %q: %w", name, err)
	}
	return nil
}

// ReaderAt makes a layout a content.Provider.
func (l layout) ReaderAt(_ context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
	// A digest that is not well formed could name a path outside of blobs/.
	if err := desc.Digest.Validate(); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(string(l), ispec.ImageBlobsDir, desc.Digest.Algorithm().String(), desc.Digest.Encoded()))
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return blobFile{f, info.Size()}, nil
}

type blobFile struct {
	*os.File
	size int64
}

func (b blobFile) Size() int64 { return b.size }

// copy puts a blob into the store, which verifies its size and digest.
func (l layout) copy(ctx context.Context, store content.Store, desc ispec.Descriptor) error {
	ra, err := l.ReaderAt(ctx, desc)
	if err != nil {
		return err
	}
	defer ra.Close()
	if err := content.WriteBlob(ctx, store, "ctr-rootfs-"+desc.Digest.String(), content.NewReader(ra), desc); err != nil {
		return fmt.Errorf("copying blob %s: %w", desc.Digest, err)
	}
	return nil
}
