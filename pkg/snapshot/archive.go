package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imported reads an image out of an archive or layout into the store. No name
// is registered: what is read is held by the lease of ctx alone.
func (s *Store) imported(ctx context.Context, sess *session, req Request, want wanted) (*Image, error) {
	src := req.Source
	store := sess.client.ContentStore()
	var image *Image
	var err error
	if src.Kind == OCILayout {
		image, err = s.fromLayout(ctx, store, src, want)
	} else {
		image, err = s.fromArchive(ctx, store, req, want)
	}
	if err == nil {
		return image, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return nil, &ArchiveError{Path: src.Name, Err: readable(err)}
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
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("it is cut off: %w", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrCRCMismatch):
		return fmt.Errorf("its compression is damaged: %w", err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("it is incomplete or damaged: %w", err)
	}
	return err
}

// fromArchive reads an OCI archive or docker's, of which the latter is turned
// into a manifest and an index on the way.
func (s *Store) fromArchive(ctx context.Context, store content.Store, req Request, want wanted) (*Image, error) {
	file, total, err := opened(ctx, req)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	desc, err := ingest(ctx, store, watchReading(file, s.opts.Progress, total))
	if err != nil {
		return nil, err
	}
	var index ispec.Index
	if err := document(ctx, store, desc, &index); err != nil {
		return nil, err
	}
	targets, err := referenced(index, req.Source)
	if err != nil {
		return nil, err
	}
	image, err := choose(ctx, store, req.Source.String(), targets, want)
	if err != nil {
		return nil, err
	}
	return image, complete(ctx, store, image)
}

// complete says which layer of an image the archive does not hold, or holds
// with another content than its name promises: it was stored by its content.
func complete(ctx context.Context, store content.InfoProvider, image *Image) error {
	for i, layer := range image.Layers {
		if _, err := store.Info(ctx, layer.Digest); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return nil
}

// opened opens the archive, and gives its size; 0 where that is not known.
func opened(ctx context.Context, req Request) (io.ReadCloser, int64, error) {
	if req.Source.Name == "-" {
		return cancellable(ctx, req.Stdin), 0, nil
	}
	f, err := os.Open(req.Source.Name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// ingest reads the archive to its very end, where a compressor's checksum
// stands and a writer to a pipe wants to be done, and gives its index.
func ingest(ctx context.Context, store content.Store, file io.Reader) (desc ispec.Descriptor, err error) {
	if err := discardBegun(ctx, store); err != nil {
		return desc, err
	}
	plain, err := decompressed(file)
	if err != nil {
		return desc, err
	}
	defer plain.Close()
	if desc, err = archive.ImportIndex(ctx, store, plain); err != nil {
		return desc, err
	}
	_, err = io.Copy(io.Discard, plain)
	return desc, err
}

// discardBegun removes the files that a killed import left half written:
// containerd goes on writing behind what is there of a file of that name, and
// every archive has an index.json. Nobody else imports: the store is locked.
func discardBegun(ctx context.Context, store content.Store) error {
	begun, err := store.ListStatuses(ctx, "ref~=^tar-")
	if err != nil {
		return fmt.Errorf("listing what a former import left: %w", err)
	}
	for _, status := range begun {
		if err := store.Abort(ctx, status.Ref); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("discarding %q of a former import: %w", status.Ref, err)
		}
	}
	return nil
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
