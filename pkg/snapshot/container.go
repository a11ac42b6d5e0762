package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// Container is what the store says of a container.
type Container struct {
	ID string
	// Spec is its own config.json (runtime-spec, config.md).
	Spec []byte
}

// openContainer opens the root of a container or pod: the one that its task
// sees where there is a task and its mount can be reached, else its snapshot.
func (v *View) openContainer(ctx context.Context, sess *session, req Request, want wanted) error {
	c, err := v.store.container(ctx, sess, req.Source)
	if err != nil {
		return err
	}
	info, err := v.describe(ctx, sess, c, want)
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
	now, err := taskStatus(ctx, sess, c.ID)
	if err != nil {
		return err
	}
	if hasRoot(now) {
		opened, err := v.openTask(ctx, sess, info)
		if err != nil || opened {
			return err
		}
	}
	return v.openActive(ctx, sess, info)
}

// openTask opens the root that the container's task sees, and says no where
// that is not to be reached from here.
func (v *View) openTask(ctx context.Context, sess *session, info snapshots.Info) (bool, error) {
	mounts, err := sess.client.SnapshotService(v.Snapshotter).Mounts(ctx, info.Name)
	if err != nil {
		return false, fmt.Errorf("reading the mounts of snapshot %q: %w", info.Name, err)
	}
	v.Root, err = rootfs.OpenTask(v.store.opts.Namespace, v.Container.ID, mounts)
	if err != nil {
		return false, fmt.Errorf("opening the root of container %q: %w", v.Container.ID, err)
	}
	v.Via, v.Live = ViaTask, true
	return v.Root != nil, v.mapOwners(info.Labels)
}

// describe notes what the store says of c, and gives its snapshot.
func (v *View) describe(ctx context.Context, sess *session, c containers.Container, want wanted) (snapshots.Info, error) {
	if c.SnapshotKey == "" {
		return snapshots.Info{}, fmt.Errorf("opening the root of container %q: it has no snapshot", c.ID)
	}
	v.Container, v.Snapshotter = &Container{ID: c.ID}, c.Snapshotter
	if c.Spec != nil {
		v.Container.Spec = c.Spec.GetValue()
		var spec rspec.Spec
		if err := json.Unmarshal(v.Container.Spec, &spec); err != nil {
			return snapshots.Info{}, fmt.Errorf("reading the spec of container %q: %w", c.ID, err)
		}
		if spec.Linux != nil {
			v.UIDs, v.GIDs = spec.Linux.UIDMappings, spec.Linux.GIDMappings
		}
	}
	sn := sess.client.SnapshotService(c.Snapshotter)
	info, err := sn.Stat(ctx, c.SnapshotKey)
	if err != nil {
		return info, fmt.Errorf("finding snapshot %q of container %q: %w", c.SnapshotKey, c.ID, err)
	}
	image, err := stored(ctx, sess, Source{Kind: ImageName, Name: c.Image, Typed: c.Image}, want)
	switch {
	case err == nil:
	case ended(ctx, err) || unavailable(err):
		return info, err
	case errdefs.IsNotFound(err) || errors.Is(err, ErrNotFound):
		return info, nil
	default:
		// Its root is there, whatever has become of the image.
		v.store.opts.Warn(fmt.Sprintf("the image %q of container %q cannot be read: %v", c.Image, c.ID, err))
		return info, nil
	}
	same, err := madeFrom(ctx, sn, info, image)
	if same {
		v.Image = image
	}
	return info, err
}

// madeFrom says whether a container's snapshot lies on the image's layers: the
// name may stand for another image since. Below a user namespace's may be one
// that has the layers' files with other owners.
func madeFrom(ctx context.Context, sn snapshots.Snapshotter, info snapshots.Info, image *Image) (bool, error) {
	chain := image.ChainID().String()
	for range 2 {
		if info.Parent == chain {
			return true, nil
		}
		if info.Parent == "" {
			return false, nil
		}
		parent, err := sn.Stat(ctx, info.Parent)
		if err != nil {
			return false, fmt.Errorf("finding snapshot %q: %w", info.Parent, err)
		}
		info = parent
	}
	return false, nil
}

// container finds the container that src names.
func (s *Store) container(ctx context.Context, sess *session, src Source) (containers.Container, error) {
	find := containersByID
	if src.Kind == PodName {
		find = containersOfPod
	}
	found, err := find(ctx, sess, src.Name)
	if err != nil {
		return containers.Container{}, err
	}
	if len(found) == 0 {
		absent := &AbsentError{Kind: src.Kind, Name: src.Name, Namespace: s.opts.Namespace, Embedded: s.opts.Location.Dir}
		absent.Namespaces, err = s.otherNamespaces(ctx, sess, func(ctx context.Context) (bool, error) {
			found, err := find(ctx, sess, src.Name)
			return len(found) > 0, err
		})
		if err != nil {
			return containers.Container{}, err
		}
		return containers.Container{}, absent
	}
	if src.Kind == PodName {
		return onlyOfPod(ctx, sess, src, found)
	}
	if len(found) > 1 {
		ambiguous := &AmbiguousError{Kind: src.Kind, Name: src.Name}
		for _, c := range found {
			ambiguous.Have = append(ambiguous.Have, c.ID)
		}
		slices.Sort(ambiguous.Have)
		return containers.Container{}, ambiguous
	}
	return found[0], nil
}

// shortID is the beginning of an id as nerdctl, docker and Kubernetes make them: 64
// hexadecimal digits. The ids of others are names, of which one may begin with
// another.
var shortID = regexp.MustCompile("^[0-9a-f]{1,63}$")

// containersByID finds the container of that id, else those whose long hexadecimal
// ids begin with it.
func containersByID(ctx context.Context, sess *session, id string) ([]containers.Container, error) {
	store := sess.client.ContainerService()
	c, err := store.Get(ctx, id)
	if err == nil {
		return []containers.Container{c}, nil
	}
	// An id that no container can have is refused, not missing.
	if !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err) {
		return nil, fmt.Errorf("finding container %q: %w", id, err)
	}
	if !shortID.MatchString(id) {
		return nil, nil
	}
	found, err := store.List(ctx, "id~="+strconv.Quote(fmt.Sprintf("^%s[0-9a-f]{%d}$", id, 64-len(id))))
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	return found, nil
}
