package snapshot

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// openSnapshot opens a snapshot by its key: a view of a committed one, else the
// snapshot itself, read-only.
func (v *View) openSnapshot(ctx context.Context, sess *session) (err error) {
	key := v.source.Name
	if v.Snapshotter, err = v.store.snapshotter(ctx, sess); err != nil {
		return err
	}
	info, err := sess.client.SnapshotService(v.Snapshotter).Stat(ctx, key)
	if errdefs.IsNotFound(err) {
		return v.absentSnapshot(ctx, sess)
	}
	if err != nil {
		return fmt.Errorf("finding snapshot %q: %w", key, err)
	}
	if ctx, err = v.hold(ctx, sess, nil); err != nil {
		return err
	}
	if info.Kind != snapshots.KindCommitted {
		return v.openActive(ctx, sess, info)
	}
	v.Via = ViaView
	mounts, err := v.viewOf(ctx, sess, key)
	if err != nil {
		return err
	}
	return v.mount(ctx, sess, mounts)
}

// absentSnapshot says where else the snapshot is.
func (v *View) absentSnapshot(ctx context.Context, sess *session) error {
	absent := &AbsentError{Kind: SnapshotKey, Name: v.source.Name, Namespace: v.store.opts.Namespace, Embedded: v.store.opts.Location.Dir, Snapshotter: v.Snapshotter}
	has := func(ctx context.Context, snapshotter string) (bool, error) {
		_, err := sess.client.SnapshotService(snapshotter).Stat(ctx, absent.Name)
		return err == nil, ignoreNotFound(err)
	}
	have, err := snapshotters(ctx, sess)
	if err != nil {
		return err
	}
	for _, other := range have {
		found, err := has(ctx, other)
		if err != nil {
			return fmt.Errorf("finding snapshot %q: %w", absent.Name, err)
		}
		if found {
			absent.Snapshotters = append(absent.Snapshotters, other)
		}
	}
	absent.Namespaces, err = v.store.otherNamespaces(ctx, sess, func(ctx context.Context) (bool, error) {
		return has(ctx, v.Snapshotter)
	})
	if err != nil {
		return err
	}
	return absent
}

// otherNamespaces lists the namespaces in which has finds something, but for
// the store's own.
func (s *Store) otherNamespaces(ctx context.Context, sess *session, has func(context.Context) (bool, error)) ([]string, error) {
	all, err := sess.client.NamespaceService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	var others []string
	for _, ns := range all {
		if ns == s.opts.Namespace {
			continue
		}
		found, err := has(namespaces.WithNamespace(ctx, ns))
		if err != nil {
			return nil, fmt.Errorf("looking in namespace %q: %w", ns, err)
		}
		if found {
			others = append(others, ns)
		}
	}
	return others, nil
}

// openActive opens a snapshot that is not committed, as it is on disk. Its
// writable mounts are never made: what would be mounted is read-only.
func (v *View) openActive(ctx context.Context, sess *session, info snapshots.Info) error {
	mounts, err := sess.client.SnapshotService(v.Snapshotter).Mounts(ctx, info.Name)
	if err != nil {
		return fmt.Errorf("reading the mounts of snapshot %q: %w", info.Name, err)
	}
	for _, m := range mounts {
		if rootfs.IDMapped(m) {
			return &ShiftedError{Key: info.Name}
		}
	}
	v.Via, v.Live = ViaSnapshot, info.Kind == snapshots.KindActive
	if err := v.mapOwners(info.Labels); err != nil {
		return fmt.Errorf("reading the labels of snapshot %q: %w", info.Name, err)
	}
	return v.mount(ctx, sess, rootfs.ReadOnly(mounts))
}
