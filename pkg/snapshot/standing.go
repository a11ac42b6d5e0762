package snapshot

import (
	"context"
	"errors"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// referenced gives the manifests of an index that src names, and what the images there
// may be asked for by. What is beside images
// and is none (signatures, SBOMs, referrers of an image) counts only where it is
// asked for by name.
func referenced(ctx context.Context, c collection, index ispec.Index, src Source) (targets []ispec.Descriptor, names []string, err error) {
	targets, names = archive.Referenced(index, src.Ref)
	if len(targets) > 0 {
		return targets, names, nil
	}
	only, err := imagesOf(ctx, c, index)
	if err != nil {
		return nil, nil, err
	}
	if len(only.Manifests) > 0 {
		targets, names = archive.Referenced(only, src.Ref)
	}
	if len(targets) == 0 {
		return nil, nil, &ReferenceError{Path: src.Name, Ref: src.Ref, Have: names}
	}
	return targets, names, nil
}

// imagesOf leaves in an index the images that stand for themselves; where there are
// none, those that are attached to others.
func imagesOf(ctx context.Context, c collection, index ispec.Index) (ispec.Index, error) {
	blobs := &searched{c, maxSearched}
	var own, attached []ispec.Descriptor
	for _, desc := range index.Manifests {
		switch standing, err := standingOf(ctx, blobs, desc); {
		case err != nil:
			return index, err
		case standing == byItself:
			own = append(own, desc)
		case standing == attachedTo:
			attached = append(attached, desc)
		}
	}
	if own == nil {
		own = attached
	}
	index.Manifests = own
	return index, nil
}

// standing is how an entry of an archive's index stands to the others.
type standing int

const (
	noImage standing = iota
	byItself
	attachedTo
)

// standingOf takes for an image what cannot be read: that is an error for who asks
// for it, and must not go unnoticed.
func standingOf(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) (standing, error) {
	if images.IsManifestType(desc.MediaType) {
		// What it says of itself counts, and not what platform it is said to be for.
		image, err := load(ctx, blobs, "", desc)
		var artifact *ArtifactError
		switch {
		case err == nil && image.attached:
			return attachedTo, nil
		case err == nil:
			return byItself, nil
		case ended(ctx, err):
			return noImage, err
		case errors.As(err, &artifact), isAttachment(desc): // docker's list has signatures as images
			return noImage, nil
		}
		return byItself, nil
	}
	search, err := manifests(ctx, blobs, desc)
	if err != nil || len(search.found) > 0 {
		return byItself, err
	}
	for _, err := range search.odd {
		if !errdefs.IsNotFound(err) || !isAttachment(desc) {
			return byItself, nil
		}
	}
	return noImage, nil
}

// isAttachment says by its descriptor alone whether an entry is attached to an image.
func isAttachment(desc ispec.Descriptor) bool {
	return document.NamedAttachment(desc) || document.Entry(desc) != nil
}
