package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// collection is a layout or an archive: images that stand in no store.
type collection interface {
	content.Provider
	Index(ctx context.Context) (ispec.Index, error)
	Close() error
}

// openCollection opens what the request's source names. Blobs that cannot be
// read where they lie are written to a spool in the request's SpoolDir.
func openCollection(ctx context.Context, req Request, o Options) (collection, error) {
	if req.Source.Kind == OCILayout {
		return archive.Layout(req.Source.Name), nil
	}
	document := archive.OCIIndex
	if req.Source.Kind == DockerArchive {
		document = archive.DockerManifest
	}
	return archive.OpenTar(ctx, req.Source.Name, archive.Options{
		Document: document,
		Stdin:    req.Stdin, SpoolDir: req.SpoolDir, MaxBytes: o.MaxBytes,
		Watch: func(r io.Reader, total int64) io.Reader { return watchReading(r, o.Progress, total) },
	})
}

// chosen gives the image of c that src asks for, whose layers are to be read in
// the given way.
func chosen(ctx context.Context, c collection, src Source, want wanted, way layertype.Way) (*Image, error) {
	index, err := c.Index(ctx)
	if err != nil {
		return nil, err
	}
	if len(index.Manifests) == 0 {
		return nil, errors.New("its index lists no image")
	}
	targets, names, err := referenced(ctx, c, index, src)
	if err != nil {
		return nil, err
	}
	// One of several would be taken for all.
	if tar, isTar := c.(*archive.Tar); isTar && src.Ref == "" {
		elsewhere, err := beyond(ctx, tar, index)
		if err != nil {
			return nil, err
		}
		if len(elsewhere) > 0 {
			return nil, &ReferenceError{Path: src.Name, Have: names, Elsewhere: elsewhere}
		}
	}
	image, err := choose(ctx, c, src.String(), targets, want)
	if err != nil {
		return nil, err
	}
	// What is wrong with a layer comes first, and not when it is its turn.
	if err := layertype.Check(image.Layers, way); err != nil {
		return nil, err
	}
	for i, layer := range image.Layers {
		ra, err := document.Open(ctx, c, layer)
		if err != nil {
			return nil, fmt.Errorf("layer %d of %d: %w", i+1, len(image.Layers), err)
		}
		if err := ra.Close(); err != nil {
			return nil, err
		}
	}
	return image, nil
}

// chosenOrOther is chosen. Where the list that src means does not give the image, and
// the archive's other one does, the error is an OtherListError.
func chosenOrOther(ctx context.Context, c collection, src Source, want wanted, way layertype.Way) (*Image, error) {
	image, err := chosen(ctx, c, src, want, way)
	tar, isTar := c.(*archive.Tar)
	if err == nil || ctx.Err() != nil || !isTar {
		return image, err
	}
	other := tar.Other()
	if other == nil {
		return nil, err
	}
	elsewhere := src
	elsewhere.Kind = OCIArchive
	if src.Kind == OCIArchive {
		elsewhere.Kind = DockerArchive
	}
	var reference *ReferenceError
	var cut *CutError
	fewer := errors.As(err, &reference) && len(reference.Elsewhere) > 0
	if absent := !tar.Has() && !errors.As(err, &cut); !fewer && !absent {
		if _, otherErr := chosen(ctx, other, elsewhere, want, way); otherErr != nil {
			return nil, err
		}
	}
	return nil, &OtherListError{Other: elsewhere, List: string(other.Document()), Err: err}
}

// imported copies an image out of an archive or layout into the store. No name
// is registered: what is read is held by the lease of ctx alone.
func (s *Store) imported(ctx context.Context, sess *session, req Request, want wanted) (*Image, error) {
	image, err := s.importing(ctx, sess.client.ContentStore(), req, want)
	return image, asArchive(ctx, req.Source, err)
}

// asArchive tells an error in the words of an archive.
func asArchive(ctx context.Context, src Source, err error) error {
	var spool *SpoolError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && hostfile.AsHung(err) == nil:
		return context.Cause(ctx)
	case hostfile.AsHung(err) != nil, errors.Is(err, ErrNotFound), errors.As(err, &spool):
		return err
	}
	return &ArchiveError{Path: src.Name, Err: archive.Explain(src.Name, err)}
}

func (s *Store) importing(ctx context.Context, store content.Store, req Request, want wanted) (_ *Image, err error) {
	c, err := openCollection(ctx, req, s.opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	image, err := chosenOrOther(ctx, c, req.Source, want, layertype.Unpacking)
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
		if err := copyBlob(ctx, store, c, desc); err != nil {
			return nil, err
		}
		step.Done += desc.Size
	}
	return image, nil
}

// copyBlob puts a blob into the store, which verifies its size and digest. A
// killed run may have left it half written, and what it wrote is not trusted.
func copyBlob(ctx context.Context, store content.Store, from content.Provider, desc ispec.Descriptor) error {
	ra, err := document.Open(ctx, from, desc)
	if err != nil {
		return err
	}
	defer ra.Close()
	ref := "ctr-rootfs-" + desc.Digest.String()
	if err := store.Abort(ctx, ref); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("discarding blob %s of a former import: %w", desc.Digest, err)
	}
	err = content.WriteBlob(ctx, store, ref, content.NewReader(ra), desc)
	switch {
	case errdefs.IsFailedPrecondition(err):
		return fmt.Errorf("blob %s is damaged: its content has another digest or size", desc.Digest)
	case err != nil:
		return fmt.Errorf("copying blob %s: %w", desc.Digest, err)
	}
	return nil
}
