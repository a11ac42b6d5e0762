//go:build !linux

package snapshot

import (
	"context"
	"os"
	"strconv"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// What unpacks, or asks the kernel of processes, is Linux's: elsewhere there are
// the layers of images, out of archives and of an embedded store.

// snapshotters gives none: an embedded store keeps layers only.
func (e *embedded) snapshotters() (map[string]snapshots.Snapshotter, error) { return nil, nil }

// differ unpacks nothing.
type differ struct {
	store content.Provider
	quota *inflate.Quota
}

func (differ) Apply(context.Context, ispec.Descriptor, []mount.Mount, ...diff.ApplyOpt) (ispec.Descriptor, error) {
	return ispec.Descriptor{}, ErrNeedsLinux
}

func (differ) Compare(context.Context, []mount.Mount, []mount.Mount, ...diff.Opt) (ispec.Descriptor, error) {
	return ispec.Descriptor{}, errdefs.ErrNotImplemented
}

// processLabels says too little to judge a process by: its leases go when they
// expire.
func processLabels() map[string]string {
	return map[string]string{labelPID: strconv.Itoa(os.Getpid())}
}

func startTime(int) (string, error) { return "", ErrNeedsLinux }
