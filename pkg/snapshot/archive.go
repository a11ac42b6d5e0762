package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

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
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrNotFound), errors.As(err, &spool):
		return err
	}
	return &ArchiveError{Path: src.Name, Err: readable(err)}
}

func (s *Store) importing(ctx context.Context, store content.Store, req Request, want wanted) (_ *Image, err error) {
	c, err := openCollection(ctx, req, s.opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	image, err := chosen(ctx, c, req.Source, want)
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
	ra, err := from.ReaderAt(ctx, desc)
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

// readable says in the words of an archive what tar and content readers say
// in theirs.
func readable(err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.Is(err, tar.ErrHeader):
		return fmt.Errorf("it is no image archive: %w", err)
	case errors.Is(err, ErrLimit), errors.Is(err, errTrailing):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("it is cut off: %w", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrCRCMismatch):
		return fmt.Errorf("its compression is damaged: %w", err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("it is incomplete or damaged: %w", err)
	}
	return err
}

// referenced gives the manifests of an archive's index that Source's
// reference names: all of them where the archive holds one image only. An
// image of many platforms may stand there as many manifests of one name.
func referenced(index ispec.Index, src Source) ([]ispec.Descriptor, error) {
	byName := make(map[string][]ispec.Descriptor)
	var names []string
	for _, m := range index.Manifests {
		for _, name := range namesOf(m) {
			if byName[name] == nil {
				names = append(names, name)
			}
			byName[name] = append(byName[name], m)
		}
	}
	if src.Ref != "" {
		for _, ref := range spellings(src.Ref) {
			if byName[ref] != nil {
				return byName[ref], nil
			}
		}
		return nil, &ReferenceError{Path: src.Name, Ref: src.Ref, Have: names}
	}
	if several(index.Manifests) {
		return nil, &ReferenceError{Path: src.Name, Have: names}
	}
	return index.Manifests, nil
}

// spellings gives a reference as it was typed, and as docker would write it.
func spellings(ref string) []string {
	all := []string{ref}
	if named, err := reference.ParseDockerRef(ref); err == nil && named.String() != ref {
		all = append(all, named.String())
	}
	return all
}

// namesOf gives the names by which a manifest of an archive may be asked for;
// one that has none goes by its digest.
func namesOf(m ispec.Descriptor) []string {
	if names := annotated(m); len(names) > 0 {
		return names
	}
	return []string{m.Digest.String()}
}

// annotated gives the whole name, which containerd and docker write, and the
// reference, which may be the tag alone (image-spec, annotations.md).
func annotated(m ispec.Descriptor) []string {
	var names []string
	for _, key := range []string{images.AnnotationImageName, ispec.AnnotationRefName} {
		name := m.Annotations[key]
		if name != "" && (len(names) == 0 || names[0] != name) {
			names = append(names, name)
		}
	}
	return names
}

// several says whether manifests are of more than one image. One image under
// two names is one; manifests for different platforms under one name, or
// under none, are one.
func several(manifests []ispec.Descriptor) bool {
	byPlatform := make(map[string]digest.Digest)
	for _, m := range manifests {
		first := manifests[0]
		if m.Digest == first.Digest {
			continue
		}
		if m.Platform == nil || first.Platform == nil || !slices.Equal(annotated(m), annotated(first)) {
			return true
		}
		byPlatform[platforms.Format(*first.Platform)] = first.Digest
		key := platforms.Format(*m.Platform)
		if other, found := byPlatform[key]; found && other != m.Digest {
			return true
		}
		byPlatform[key] = m.Digest
	}
	return false
}
