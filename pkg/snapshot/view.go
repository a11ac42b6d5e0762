package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
)

// Request says what to open.
type Request struct {
	Source Source
	// Platform is "os/arch[/variant]"; this host's where it is empty.
	Platform string
	Pull     Pull
	// Registry says how the image's registry is reached where it is pulled.
	Registry Registry
	// Stdin is read where Source names "-".
	Stdin io.Reader
}

// View is a read-only snapshot of an image, opened.
type View struct {
	Image       *Image
	Snapshotter string
	// Key names the view and the lease that holds it.
	Key string
	// Root is the root directory; everything is to be opened below it. It is
	// the caller's to close, before Close.
	Root *os.File

	store *Store
	lease leases.Lease
	// activated says that the daemon's mount manager holds mounts for us.
	activated bool
}

// View resolves the request to an image, pulls and unpacks it where that is
// to be done, and opens a view of it. After an error nothing is left but what
// a pull or an unpacking keeps in the store as cache. The caller closes the
// view.
func (s *Store) View(ctx context.Context, req Request) (*View, error) {
	want, err := platform(req.Platform)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	v := &View{Key: key, store: s}
	err = s.with(ctx, func(ctx context.Context, sess *session) error {
		err := v.open(ctx, sess, req, want)
		if err != nil {
			undo, cancel := undoing(ctx)
			defer cancel()
			err = errors.Join(causeOf(ctx, err), v.undo(undo, sess))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Close removes the view and its lease, also where ctx has ended: it has a
// deadline of its own.
func (v *View) Close(ctx context.Context) error {
	ctx, cancel := undoing(ctx)
	defer cancel()
	return v.store.with(ctx, v.undo)
}

// undoing gives the context on which to clean up: not cancelled with its
// parent, but not endless.
func undoing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
}

// causeOf prefers the reason for which ctx ended over what a cancelled call
// said of it.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (v *View) open(ctx context.Context, sess *session, req Request, want wanted) (err error) {
	ctx, v.lease, err = leased(ctx, sess, v.Key)
	if err != nil {
		return err
	}
	if req.Source.InArchive() {
		v.Image, err = imported(ctx, sess, req, want)
	} else {
		v.Image, err = v.store.named(ctx, sess, req, want)
	}
	if err != nil {
		return err
	}
	if v.Snapshotter, err = v.store.snapshotter(ctx, sess); err != nil {
		return err
	}
	mounts, err := v.prepare(ctx, sess)
	if err != nil {
		return err
	}
	if mounts, err = v.activate(ctx, sess, mounts); err != nil {
		return err
	}
	if v.Root, err = openRoot(ctx, mounts); err != nil {
		return fmt.Errorf("mounting the view of %q: %w", v.Image.Name, err)
	}
	return nil
}

// prepare takes the view, and unpacks the image before where its layers'
// snapshots are not there. Layers that are there are not asked for: a node
// may have discarded their blobs.
func (v *View) prepare(ctx context.Context, sess *session) ([]mount.Mount, error) {
	mounts, err := v.take(ctx, sess)
	if err == nil || !errdefs.IsNotFound(err) {
		return mounts, err
	}
	v.store.opts.Notify(fmt.Sprintf("unpacking %s for snapshotter %s", v.Image.Name, v.Snapshotter))
	record := images.Image{Name: v.Image.Name, Target: v.Image.Manifest}
	// The manifest is chosen already, so no platform is to be looked for.
	image := containerd.NewImageWithPlatform(sess.client, record, platforms.All)
	if err := image.Unpack(ctx, v.Snapshotter); err != nil {
		if errdefs.IsNotFound(err) {
			return nil, v.unpackable(ctx, sess, err)
		}
		return nil, fmt.Errorf("unpacking image %q: %w", v.Image.Name, err)
	}
	return v.take(ctx, sess)
}

func (v *View) take(ctx context.Context, sess *session) ([]mount.Mount, error) {
	sn := sess.client.SnapshotService(v.Snapshotter)
	mounts, err := sn.View(ctx, v.Key, v.Image.ChainID().String(), snapshots.WithLabels(map[string]string{LabelRun: v.Key}))
	if err != nil {
		return nil, fmt.Errorf("taking a view of image %q: %w", v.Image.Name, err)
	}
	return mounts, nil
}

// activate lets the daemon's mount manager mount what openRoot cannot: the
// erofs snapshotter's mounts are templates that only the daemon resolves.
// Daemons before 2.2 have no such manager, and then openRoot has to do.
func (v *View) activate(ctx context.Context, sess *session, mounts []mount.Mount) ([]mount.Mount, error) {
	if sess.mounts == nil || detachable(mounts) {
		return mounts, nil
	}
	info, err := sess.mounts.Activate(ctx, v.Key, cloned(mounts), mount.WithTemporary)
	if errdefs.IsNotImplemented(err) {
		return mounts, nil
	}
	if err != nil {
		return nil, fmt.Errorf("activating the mounts of %q: %w", v.Image.Name, err)
	}
	v.activated = true
	return info.System, nil
}

// undo removes what open made, in the reverse order, and goes on where one
// step fails. What was never made is no error.
func (v *View) undo(ctx context.Context, sess *session) error {
	var errs []error
	if v.activated {
		if err := sess.mounts.Deactivate(ctx, v.Key); err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("deactivating the mounts of %q: %w", v.Key, err))
		}
	}
	if v.Snapshotter != "" {
		err := sess.client.SnapshotService(v.Snapshotter).Remove(ctx, v.Key)
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("removing view %q: %w", v.Key, err))
		}
	}
	if v.lease.ID != "" {
		errs = append(errs, unlease(ctx, sess, v.lease))
	}
	if sess.collect != nil {
		if err := sess.collect(ctx); err != nil {
			errs = append(errs, fmt.Errorf("collecting garbage: %w", err))
		}
	}
	return errors.Join(errs...)
}

// cloned protects mounts from callees that change their argument.
func cloned(mounts []mount.Mount) []mount.Mount {
	c := make([]mount.Mount, len(mounts))
	for i, m := range mounts {
		c[i] = m
		c[i].Options = append([]string(nil), m.Options...)
	}
	return c
}
