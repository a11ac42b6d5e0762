package snapshot

import (
	"context"

	"github.com/containerd/containerd/v2/core/images"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
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
