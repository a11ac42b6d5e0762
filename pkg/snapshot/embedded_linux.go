package snapshot

import (
	"path/filepath"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
)

// snapshotters gives the embedded store's snapshotters by name. Whatever it
// gives is closed by the caller, on an error too.
func (e *embedded) snapshotters() (map[string]snapshots.Snapshotter, error) {
	sn, err := overlay.NewSnapshotter(filepath.Join(e.dir, "overlayfs"))
	if err != nil {
		return nil, err
	}
	return map[string]snapshots.Snapshotter{overlaySnapshotter: sn}, nil
}
