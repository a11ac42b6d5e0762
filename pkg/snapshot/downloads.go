package snapshot

import (
	"context"

	"github.com/containerd/containerd/v2/core/images"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// maxDownloads is how many blobs of an image come at once. The client's own
// limit is far higher, and each takes a connection and a file or two: a process
// may have 64 descriptors, and a registry no patience.
const maxDownloads = 6

// fewAtOnce has a pull's handler called for so many descriptors side by side.
func fewAtOnce(next images.Handler) images.Handler {
	slots := make(chan struct{}, maxDownloads)
	return images.HandlerFunc(func(ctx context.Context, desc ispec.Descriptor) ([]ispec.Descriptor, error) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		defer func() { <-slots }()
		return next.Handle(ctx, desc)
	})
}

// orUnnamed makes a pull fetch the manifests that name no architecture, too: choose
// decides later whether one of them is wanted.
type orUnnamed struct{ wanted }

func (m orUnnamed) Match(p ispec.Platform) bool { return document.Unnamed(p) || m.wanted.Match(p) }

// sameFirst wants the platform that was chosen, and takes any other: along leaves a
// pull no choice.
type sameFirst string

func (sameFirst) Match(ispec.Platform) bool { return true }

func (f sameFirst) Less(a, b ispec.Platform) bool {
	return document.Format(a) == string(f) && document.Format(b) != string(f)
}

// along makes a pull follow path, and fetch nothing else of the indexes on it: what
// containerd would choose among their manifests may be another one, or an artifact.
func along(path []ispec.Descriptor, next images.Handler) images.Handler {
	return images.HandlerFunc(func(ctx context.Context, desc ispec.Descriptor) ([]ispec.Descriptor, error) {
		children, err := next.Handle(ctx, desc)
		if err != nil {
			return nil, err
		}
		for i, index := range path[:len(path)-1] {
			if index.Digest == desc.Digest {
				return path[i+1 : i+2], nil
			}
		}
		return children, nil
	})
}
