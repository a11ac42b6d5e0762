package snapshot

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
)

// unpackable makes the error of an image whose layers are not in the store: a
// node may have discarded them once they were unpacked. Another snapshotter
// that still has them unpacked is named.
func (v *View) unpackable(ctx context.Context, sess *session, cause error) error {
	failure := &ContentError{Image: v.Image.Name, Snapshotter: v.Snapshotter, Err: cause}
	names, err := snapshotters(ctx, sess)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == v.Snapshotter {
			continue
		}
		_, err := sess.client.SnapshotService(name).Stat(ctx, v.Image.ChainID().String())
		switch {
		case err == nil:
			failure.Others = append(failure.Others, name)
		case !errdefs.IsNotFound(err):
			return fmt.Errorf("looking for image %q in snapshotter %q: %w", v.Image.Name, name, err)
		}
	}
	return failure
}
