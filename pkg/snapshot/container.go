package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// Container is what the store says of a container.
type Container struct {
	ID string
	// Spec is its own config.json (runtime-spec, config.md), empty where the store
	// has no record of the container any more, but only its snapshot.
	Spec []byte
}

// containerRoot is where a container's root is kept.
type containerRoot struct {
	// snapshot has no name where there is none.
	snapshot snapshots.Info
	// dir is the directory that its spec names; beside a snapshot it is where that is
	// mounted.
	dir string
}

// openContainer opens the root of a container or pod: the one that its task
// sees where there is a task and its root can be reached, else its snapshot, else
// its directory.
func (v *View) openContainer(ctx context.Context, sess *session, req Request, want wanted) error {
	c, err := v.store.container(ctx, sess, req.Source)
	if err != nil {
		return err
	}
	root, err := v.describe(ctx, sess, c, want)
	if err != nil {
		return err
	}
	var labels map[string]string
	if req.Pause {
		ours, err := oursToPause(ctx, sess, c.ID)
		if err != nil {
			return err
		}
		if ours {
			// Others leave the task to this run as soon as they see its lease.
			labels = map[string]string{labelPaused: c.ID}
		}
	}
	if ctx, err = v.hold(ctx, sess, labels); err != nil {
		return err
	}
	if labels != nil {
		if err := v.holdStill(ctx, sess, c.ID); err != nil {
			return err
		}
	}
	if opened, err := v.openRunning(ctx, sess, root); err != nil || opened {
		return err
	}
	if root.snapshot.Name != "" {
		return v.openActive(ctx, sess, root.snapshot)
	}
	return v.openDirectory(root.dir)
}

// openRunning opens the root that the container's task sees, and says no where there is
// no task, or its root cannot be reached from here.
func (v *View) openRunning(ctx context.Context, sess *session, root containerRoot) (bool, error) {
	process, err := taskProcess(ctx, sess, v.Container.ID)
	if err != nil || !hasRoot(process.GetStatus()) {
		return false, err
	}
	opened, err := v.openTask(ctx, sess, root, process.GetPid())
	if !errors.Is(err, ErrNotTaskRoot) {
		return opened, err
	}
	// The process may have ended before its root was looked at.
	stopped, statusErr := stopsSoon(ctx, sess, v.Container.ID)
	if stopped {
		return false, nil
	}
	return false, errors.Join(err, statusErr)
}

// openTask opens the root that the process of the container's task sees, see
// openRunning.
func (v *View) openTask(ctx context.Context, sess *session, root containerRoot, pid uint32) (bool, error) {
	task := v.task(root.dir)
	task.PID = pid
	var err error
	if name := root.snapshot.Name; name != "" {
		if task.Mounts, err = sess.client.SnapshotService(v.Snapshotter).Mounts(ctx, name); err != nil {
			return false, fmt.Errorf("reading the mounts of snapshot %q: %w", name, err)
		}
	}
	v.Root, err = rootfs.OpenTask(task)
	if err != nil {
		return false, fmt.Errorf("opening the root of container %q: %w", v.Container.ID, err)
	}
	v.Via, v.Live = ViaTask, true
	return v.Root != nil, v.mapOwners(root.snapshot.Labels)
}

// openDirectory opens the root directory of a container that has no snapshot and
// does not run.
func (v *View) openDirectory(dir string) (err error) {
	if !path.IsAbs(dir) {
		return fmt.Errorf("opening the root of container %q: %w", v.Container.ID, ErrNoRoot)
	}
	if v.Root, err = rootfs.OpenDirectory(v.task(dir)); err != nil {
		return fmt.Errorf("opening the root of container %q: %w", v.Container.ID, err)
	}
	v.Via, v.Live = ViaDirectory, true
	return nil
}

func (v *View) task(dir string) rootfs.Task {
	return rootfs.Task{Namespace: v.store.opts.Namespace, ID: v.Container.ID, Dir: dir, HostRoot: v.store.opts.HostRoot}
}

// describe notes what the store says of c, and gives where its root is kept.
func (v *View) describe(ctx context.Context, sess *session, c containers.Container, want wanted) (root containerRoot, err error) {
	v.Container = &Container{ID: c.ID}
	if c.Spec != nil {
		v.Container.Spec = c.Spec.GetValue()
		var spec rspec.Spec
		if err := json.Unmarshal(v.Container.Spec, &spec); err != nil {
			return root, fmt.Errorf("reading the spec of container %q: %w", c.ID, err)
		}
		if spec.Linux != nil {
			v.UIDs, v.GIDs = spec.Linux.UIDMappings, spec.Linux.GIDMappings
		}
		if spec.Root != nil {
			root.dir = spec.Root.Path
		}
	}
	if c.SnapshotKey == "" {
		if c, err = v.store.withSnapshot(ctx, sess, c); err != nil || c.SnapshotKey == "" {
			return root, err
		}
	}
	v.Snapshotter = c.Snapshotter
	sn := sess.client.SnapshotService(c.Snapshotter)
	if root.snapshot, err = sn.Stat(ctx, c.SnapshotKey); err != nil {
		return root, fmt.Errorf("finding snapshot %q of container %q: %w", c.SnapshotKey, c.ID, err)
	}
	return root, v.findImage(ctx, sess, c, root.snapshot, want)
}

// findImage notes the image that c was made from, if it is known.
func (v *View) findImage(ctx context.Context, sess *session, c containers.Container, info snapshots.Info, want wanted) error {
	if c.Image == "" {
		return nil
	}
	image, err := imageOf(ctx, sess, c, info, want)
	switch {
	case err == nil:
		v.Image = image
	case ended(ctx, err) || unavailable(err):
		return err
	case !errdefs.IsNotFound(err):
		// Its root is there, whatever has become of the image.
		v.store.opts.Warn(fmt.Sprintf("the image %q of container %q cannot be read: %v", c.Image, c.ID, err))
	}
	return nil
}

// imageOf finds the image whose layers a container's snapshot lies on, among the
// platforms of the image that the container names, the wanted ones first: its name
// may stand for another image since. An error that is errdefs.ErrNotFound says that
// there is none in the store.
func imageOf(ctx context.Context, sess *session, c containers.Container, info snapshots.Info, want wanted) (*Image, error) {
	record, err := lookUp(ctx, sess.client.ImageService(), Source{Kind: ImageName, Name: c.Image, Typed: c.Image})
	if err != nil {
		return nil, err
	}
	chains, err := chainsOf(ctx, sess.client.SnapshotService(c.Snapshotter), info)
	if err != nil {
		return nil, err
	}
	blobs := sess.client.ContentStore()
	search, err := manifests(ctx, blobs, record.Target)
	if err != nil {
		return nil, err
	}
	found := search.found
	sort.SliceStable(found, func(i, j int) bool { return want.Less(*found[i].desc.Platform, *found[j].desc.Platform) })
	for _, m := range found {
		image, err := load(ctx, blobs, record.Name, m.desc)
		if err == nil && slices.Contains(chains, image.ChainID().String()) {
			image.Target = record.Target
			return image, nil
		}
		if err != nil {
			err = search.keep(ctx, err)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, err := range search.odd {
		if !errdefs.IsNotFound(err) {
			return nil, err
		}
	}
	return nil, errNoName
}

// chainsOf gives the chain IDs of which one is that of the image a container's
// snapshot was made from. Below a user namespace's may be one that has the layers'
// files with other owners.
func chainsOf(ctx context.Context, sn snapshots.Snapshotter, info snapshots.Info) ([]string, error) {
	chains := []string{info.Parent}
	if info.Parent == "" {
		return chains, nil
	}
	parent, err := sn.Stat(ctx, info.Parent)
	if err != nil {
		return nil, fmt.Errorf("finding snapshot %q: %w", info.Parent, err)
	}
	return append(chains, parent.Parent), nil
}
