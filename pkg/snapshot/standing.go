package snapshot

import (
	"context"
	"errors"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// referenced gives the manifests of an index that src names, and the names of the
// images there. What is beside images and is none (signatures, SBOMs, referrers of an
// image) counts only where it is asked for by name.
func referenced(ctx context.Context, c collection, index ispec.Index, src Source) (targets []ispec.Descriptor, names []string, err error) {
	targets, names = archive.Referenced(index, src.Ref)
	if len(targets) > 0 {
		return targets, names, nil
	}
	own, attached, err := imagesOf(ctx, c, index)
	if err != nil {
		return nil, nil, err
	}
	if index.Manifests = own; len(own) == 0 {
		index.Manifests = attached
	}
	if len(index.Manifests) > 0 {
		targets, names = archive.Referenced(index, src.Ref)
	}
	if len(targets) == 0 {
		return nil, nil, &ReferenceError{Path: src.Name, Ref: src.Ref, Have: names}
	}
	return targets, names, nil
}

// beyond gives the names of the images that the other list of an archive has and index
// has not, where the other one is of more images. A list that nobody asked for may be
// damaged.
func beyond(ctx context.Context, tar *archive.Tar, index ispec.Index) ([]string, error) {
	other := tar.Other()
	if other == nil {
		return nil, nil
	}
	more, err := other.Names()
	if err == nil {
		more.Manifests, _, err = imagesOf(ctx, other, more)
	}
	if err != nil {
		return nil, context.Cause(ctx)
	}
	only := index
	own, attached, err := imagesOf(ctx, tar, index)
	only.Manifests = slices.Concat(own, attached)
	return archive.Beyond(index, only, more), err
}

// imagesOf gives those entries of an index that are images which stand for themselves,
// and those that are images attached to others. A manifest without a name is a part of
// the image whose index lists it: oras puts both into index.json.
func imagesOf(ctx context.Context, c collection, index ispec.Index) (own, attached []ispec.Descriptor, err error) {
	blobs := &searched{c, maxSearched}
	parts := make(map[digest.Digest]bool)
	for _, desc := range index.Manifests {
		switch standing, err := standingOf(ctx, blobs, desc, parts); {
		case err != nil:
			return nil, nil, err
		case standing == byItself:
			own = append(own, desc)
		case standing == attachedTo:
			attached = append(attached, desc)
		}
	}
	own = slices.DeleteFunc(own, func(d ispec.Descriptor) bool { return parts[d.Digest] && !archive.Named(d) })
	return own, attached, nil
}

// standing is how an entry of an archive's index stands to the others.
type standing int

const (
	noImage standing = iota
	byItself
	attachedTo
)

// standingOf takes for an image what cannot be read: that is an error for who asks
// for it, and must not go unnoticed. It adds to parts what desc lists.
func standingOf(ctx context.Context, blobs content.Provider, desc ispec.Descriptor, parts map[digest.Digest]bool) (standing, error) {
	if images.IsManifestType(desc.MediaType) {
		// What it says of itself counts, and not what platform it is said to be for.
		image, err := load(ctx, blobs, "", desc)
		var artifact *ArtifactError
		switch {
		case ended(ctx, err):
			return noImage, err
		case inDockersList(desc) && document.NamedAttachment(desc) && (err != nil || image.Config.OS == ""):
			return noImage, nil
		case err == nil && image.attached:
			return attachedTo, nil
		case err == nil:
			return byItself, nil
		case errors.As(err, &artifact), errdefs.IsNotFound(err) && isAttachment(desc):
			return noImage, nil
		}
		return byItself, nil
	}
	search, err := manifests(ctx, blobs, desc)
	if err != nil {
		return noImage, err
	}
	for _, m := range search.found {
		for _, part := range append(slices.Clip(m.path[1:]), m.desc) {
			parts[part.Digest] = true
		}
	}
	if len(search.found) > 0 {
		return byItself, nil
	}
	for _, err := range search.odd {
		if !errdefs.IsNotFound(err) || !isAttachment(desc) {
			return byItself, nil
		}
	}
	return noImage, nil
}

// inDockersList says whether an entry comes from docker's manifest.json, which gives no
// layer a media type: the name alone tells a signature there.
func inDockersList(desc ispec.Descriptor) bool {
	return desc.MediaType == images.MediaTypeDockerSchema2Manifest
}

// isAttachment says by its descriptor alone whether an entry is attached to an image.
func isAttachment(desc ispec.Descriptor) bool {
	return document.NamedAttachment(desc) || document.Entry(desc) != nil
}
