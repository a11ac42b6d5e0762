package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imported reads an image out of an archive or layout into the store. No name
// is registered: what is read is held by the lease of ctx alone.
func imported(ctx context.Context, sess *session, req Request, want wanted) (*Image, error) {
	src := req.Source
	store := sess.client.ContentStore()
	var image *Image
	var err error
	if src.Kind == OCILayout {
		image, err = fromLayout(ctx, store, src, want)
	} else {
		image, err = fromArchive(ctx, store, req, want)
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
	case errdefs.IsNotFound(err):
		return fmt.Errorf("it is incomplete: %w", err)
	}
	return err
}

// fromArchive reads an OCI archive or docker's, of which the latter is turned
// into a manifest and an index on the way.
func fromArchive(ctx context.Context, store content.Store, req Request, want wanted) (*Image, error) {
	file := req.Stdin
	if req.Source.Name != "-" {
		f, err := os.Open(req.Source.Name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		file = f
	}
	plain, err := compression.DecompressStream(file)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	desc, err := archive.ImportIndex(ctx, store, plain)
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
	return choose(ctx, store, req.Source.String(), targets, want)
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
		if byName[src.Ref] == nil {
			return nil, &ReferenceError{Path: src.Name, Ref: src.Ref, Have: names}
		}
		return byName[src.Ref], nil
	}
	if several(index.Manifests) {
		return nil, &ReferenceError{Path: src.Name, Have: names}
	}
	return index.Manifests, nil
}

// namesOf gives the names by which a manifest of an archive may be asked for.
func namesOf(m ispec.Descriptor) []string {
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
	if len(manifests) < 2 {
		return false
	}
	first := manifests[0]
	for _, m := range manifests[1:] {
		same := m.Digest == first.Digest
		sibling := m.Platform != nil && first.Platform != nil && fmt.Sprint(namesOf(m)) == fmt.Sprint(namesOf(first))
		if !same && !sibling {
			return true
		}
	}
	return false
}
