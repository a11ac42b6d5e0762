package snapshot

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
)

const (
	// maxNesting bounds indexes inside of indexes.
	maxNesting = 4
	// maxManifests bounds what indexes list in all: the largest that were seen
	// list some dozens of platforms, and a small one that lists another a
	// thousand times, which does the same, would be read for ever.
	maxManifests = 10_000
	// maxSearched bounds the bytes of what is read for that: an index may list
	// one large config again and again, and each takes its time.
	maxSearched = 64 * archive.MaxDocument
)

// manifests lists the manifests below targets, each with its platform: the
// descriptor's, else the config's. odd says what is wrong with those that cannot
// be read, or are no image's: only where no other fits does that matter.
func manifests(ctx context.Context, blobs content.Provider, targets ...ispec.Descriptor) (found []ispec.Descriptor, odd []error, err error) {
	search := manifestSearch{blobs: &searched{blobs, maxSearched}, left: maxManifests}
	for _, t := range targets {
		if err := search.below(ctx, t, maxNesting); err != nil {
			return nil, nil, err
		}
	}
	return search.found, search.odd, nil
}

// searched bounds what is read of blobs.
type searched struct {
	content.Provider
	left int64
}

func (s *searched) ReaderAt(ctx context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
	blob, err := s.Provider.ReaderAt(ctx, desc)
	if err != nil {
		return nil, err
	}
	if s.left -= blob.Size(); s.left < 0 {
		return nil, errors.Join(fmt.Errorf("the documents of its indexes have more than %d bytes", maxSearched), blob.Close())
	}
	return blob, nil
}

// manifestSearch looks for manifests in indexes.
type manifestSearch struct {
	blobs content.Provider
	left  int // how many more descriptors are looked at
	found []ispec.Descriptor
	odd   []error
}

func (s *manifestSearch) below(ctx context.Context, desc ispec.Descriptor, depth int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.left--; s.left < 0 {
		return fmt.Errorf("reading %s: its indexes list more than %d manifests", desc.Digest, maxManifests)
	}
	switch {
	case images.IsIndexType(desc.MediaType):
		return s.indexed(ctx, desc, depth)
	case !images.IsManifestType(desc.MediaType):
		// What else an index may list (attestations, signatures) is no image.
		return nil
	case desc.Platform != nil && desc.Platform.OS == "unknown":
		return nil
	case desc.Platform != nil:
		p := platforms.Normalize(*desc.Platform)
		desc.Platform = &p
	default:
		image, err := load(ctx, s.blobs, desc.Digest.String(), desc)
		if err != nil {
			return s.keep(ctx, err)
		}
		p := image.Platform // alone: the rest of the image may be 16 MiB
		desc.Platform = &p
	}
	s.found = append(s.found, desc)
	return nil
}

// keep keeps aside what is wrong with a manifest or index, but for the end of ctx:
// a pull for one platform may have left it out.
func (s *manifestSearch) keep(ctx context.Context, err error) error {
	if ended(ctx, err) {
		return err
	}
	s.odd = append(s.odd, err)
	return nil
}

func (s *manifestSearch) indexed(ctx context.Context, desc ispec.Descriptor, depth int) error {
	if depth == 0 {
		return fmt.Errorf("reading index %s: more than %d indexes inside of one another", desc.Digest, maxNesting)
	}
	var index ispec.Index
	if err := document(ctx, s.blobs, desc, &index); err != nil {
		return s.keep(ctx, err)
	}
	for _, child := range index.Manifests {
		if err := s.below(ctx, child, depth-1); err != nil {
			return err
		}
	}
	return nil
}
