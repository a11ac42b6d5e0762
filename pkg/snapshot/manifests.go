package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
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
	maxSearched = 64 * document.MaxBytes
	// maxOdd bounds how much is said of what is wrong with them.
	maxOdd = 8
)

// choose finds the manifest for the wanted platform among targets, and reads
// it and its config. The image is named for errors only.
func choose(ctx context.Context, blobs content.Provider, name string, targets []ispec.Descriptor, want wanted) (*Image, error) {
	search, err := manifests(ctx, blobs, targets...)
	if err != nil {
		return nil, err
	}
	found, odd := search.found, search.odd
	var have []string
	var fit []candidate
	for _, m := range found {
		if want.Match(*m.desc.Platform) {
			fit = append(fit, m)
		}
		have = append(have, document.Format(*m.desc.Platform))
	}
	if len(fit) == 0 && len(found) == 1 && len(odd) == 0 && document.Unnamed(*found[0].desc.Platform) {
		fit = found
	}
	switch {
	case len(found) == 0 && len(odd) > 0:
		return nil, errors.Join(odd...)
	case len(found) == 0 && search.artifact != nil:
		return nil, fmt.Errorf("finding image %q: %w", name, search.artifact)
	case len(fit) == 0:
		return nil, errors.Join(&PlatformError{Image: name, Want: want.Text, Have: unique(have)}, errors.Join(odd...))
	}
	sort.SliceStable(fit, func(i, j int) bool {
		a, b := fit[i].desc, fit[j].desc
		if other := document.OtherForm(a); other != document.OtherForm(b) {
			return !other
		}
		return want.Less(*a.Platform, *b.Platform)
	})
	return first(ctx, blobs, name, fit)
}

// first reads the first image of fit. An index may list artifacts for a platform,
// too. The store may have been given only what needs a feature of the operating
// system, where what needs none comes first.
func first(ctx context.Context, blobs content.Provider, name string, fit []candidate) (*Image, error) {
	var passed error
	for _, m := range fit {
		if errdefs.IsNotFound(passed) && !sameButFeatures(*m.desc.Platform, *fit[0].desc.Platform) {
			continue
		}
		image, err := load(ctx, blobs, name, m.desc)
		var artifact *ArtifactError
		switch {
		case err == nil:
			image.path = append(slices.Clip(m.path), m.desc)
			return image, nil
		case errors.As(err, &artifact):
			err = fmt.Errorf("finding image %q: %w", name, artifact)
		case !errdefs.IsNotFound(err):
			return nil, err
		}
		if passed == nil {
			passed = err
		}
	}
	return nil, passed
}

// sameButFeatures says whether two platforms differ in nothing but that features of
// the operating system are needed for a.
func sameButFeatures(a, b ispec.Platform) bool {
	return len(a.OSFeatures) > 0 && platforms.Format(platforms.Normalize(a)) == platforms.Format(platforms.Normalize(b))
}

// unique drops what was there before.
func unique(names []string) (all []string) {
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// candidate is a manifest that a search found, with its platform: the descriptor's,
// else the config's. path are the indexes above it, the target first.
type candidate struct {
	desc ispec.Descriptor
	path []ispec.Descriptor
}

// manifests finds the manifests below targets.
func manifests(ctx context.Context, blobs content.Provider, targets ...ispec.Descriptor) (*manifestSearch, error) {
	search := &manifestSearch{blobs: &searched{blobs, maxSearched}, left: maxManifests}
	for _, t := range targets {
		if images.IsManifestType(t.MediaType) && document.Entry(t) != nil {
			// It is asked for by name, so its manifest says what it is.
			t.ArtifactType, t.Platform = "", nil
		}
		if err := search.below(ctx, t, nil); err != nil {
			return nil, err
		}
	}
	return search, nil
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
	found []candidate
	// odd says what is wrong with documents that cannot be read, and artifact is the
	// first one that is no image's: only where no other fits does that matter.
	odd      []error
	artifact *ArtifactError
}

// below looks at desc, which is below the indexes of path.
func (s *manifestSearch) below(ctx context.Context, desc ispec.Descriptor, path []ispec.Descriptor) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.left--; s.left < 0 {
		return fmt.Errorf("reading %s: its indexes list more than %d manifests", desc.Digest, maxManifests)
	}
	if artifact := document.Entry(desc); artifact != nil {
		return s.keep(ctx, artifact)
	}
	if images.IsIndexType(desc.MediaType) {
		return s.indexed(ctx, desc, path)
	}
	if p := desc.Platform; p == nil || p.OS == "" && p.Architecture == "" {
		image, err := load(ctx, s.blobs, desc.Digest.String(), desc)
		if err != nil {
			return s.keep(ctx, err)
		}
		p := image.Platform // alone: the rest of the image may be 16 MiB
		desc.Platform = &p
	}
	s.found = append(s.found, candidate{desc, path})
	return nil
}

// keep keeps aside what is wrong with a manifest or index, except the end of ctx: a
// pull for one platform may have left it out.
func (s *manifestSearch) keep(ctx context.Context, err error) error {
	var artifact *ArtifactError
	switch {
	case ended(ctx, err):
		return err
	case errors.As(err, &artifact):
		if s.artifact == nil {
			s.artifact = artifact
		}
	case len(s.odd) < maxOdd && !slices.ContainsFunc(s.odd, func(e error) bool { return e.Error() == err.Error() }):
		s.odd = append(s.odd, err)
	}
	return nil
}

func (s *manifestSearch) indexed(ctx context.Context, desc ispec.Descriptor, path []ispec.Descriptor) error {
	if len(path) == maxNesting {
		return fmt.Errorf("reading index %s: more than %d indexes inside of one another", desc.Digest, maxNesting)
	}
	index, err := document.Index(ctx, s.blobs, desc)
	if err != nil {
		return s.keep(ctx, err)
	}
	path = append(slices.Clip(path), desc)
	for _, child := range index.Manifests {
		if err := s.below(ctx, child, path); err != nil {
			return err
		}
	}
	return nil
}
