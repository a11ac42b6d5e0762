package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// Layout is an OCI layout (image-spec, image-layout.md): a directory that holds
// blobs by digest. It is only ever read.
type Layout string

// Close closes nothing: files are opened one by one.
func (Layout) Close() error { return nil }

// Index reads index.json.
func (l Layout) Index(ctx context.Context) (index ispec.Index, err error) {
	if info, err := os.Stat(string(l)); err != nil {
		return index, err
	} else if !info.IsDir() {
		return index, syscall.ENOTDIR
	}
	var marker ispec.ImageLayout
	if err := l.json(ctx, ispec.ImageLayoutFile, &marker); err != nil {
		return index, err
	}
	if err := checkLayout(marker); err != nil {
		return index, err
	}
	return index, l.json(ctx, ispec.ImageIndexFile, &index)
}

func checkLayout(marker ispec.ImageLayout) error {
	if marker.Version != ispec.ImageLayoutVersion {
		return fmt.Errorf("its layout version is %q, not %q", marker.Version, ispec.ImageLayoutVersion)
	}
	return nil
}

func noLayout(name string) error { return fmt.Errorf("it is not an OCI layout: it has no %q", name) }

func (l Layout) json(ctx context.Context, name string, into any) error {
	f, err := l.open(ctx, name)
	if errdefs.IsNotFound(err) {
		return noLayout(name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return parseDocument(name, f, f.size, into)
}

// ReaderAt makes a layout a content.Provider. The caller closes what it gives.
func (l Layout) ReaderAt(ctx context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
	// A digest that is not well formed could name a path outside of blobs/.
	if err := desc.Digest.Validate(); err != nil {
		return nil, err
	}
	f, err := l.open(ctx, filepath.Join(ispec.ImageBlobsDir, desc.Digest.Algorithm().String(), desc.Digest.Encoded()))
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, err)
	}
	return f, err
}

// open opens a regular file of the layout, and nothing else: a device may act
// when it is opened. What is put in its place meanwhile is not read, either.
func (l Layout) open(ctx context.Context, name string) (blobFile, error) {
	path := filepath.Join(string(l), name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return blobFile{}, errdefs.ErrNotFound
	}
	if err != nil {
		return blobFile{}, fmt.Errorf("reading %q: %w", name, hostfile.WithoutPath(err))
	}
	if !info.Mode().IsRegular() {
		return blobFile{}, notRegular(name)
	}
	f, err := hostfile.Open(ctx, path, os.O_RDONLY)
	if err != nil {
		return blobFile{}, fmt.Errorf("reading %q: %w", name, hostfile.WithoutPath(err))
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = notRegular(name)
	}
	if err != nil {
		return blobFile{}, errors.Join(err, f.Close())
	}
	return blobFile{f, info.Size()}, nil
}

func notRegular(name string) error { return fmt.Errorf("%q is not a regular file", name) }

type blobFile struct {
	*os.File
	size int64
}

func (b blobFile) Size() int64 { return b.size }
