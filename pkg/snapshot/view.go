package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// Request says what to open.
type Request struct {
	Source Source
	// Platform is "os[(version+features)]/arch[/variant]"; this host's where it is
	// empty. What needs features of the operating system (image-spec,
	// image-index.md, "os.features") that are not named is taken only where nothing
	// else fits, and this package or a snapshotter of the store can read it.
	Platform string
	Pull     Pull
	// Pause holds a container's task still from before the root is opened
	// until the view is closed, or until the last of several such views is. One
	// that somebody else paused stays paused.
	Pause bool
	// Registry says how the image's registry is reached where it is pulled.
	Registry Registry
	// Stdin is read where Source names "-".
	Stdin io.Reader
	// Via is ViaView or ViaLayers for an image; where it is empty, ViaView.
	Via Via
	// Layered says that the caller can read an overlay's layers as they lie: see
	// View.Lower.
	Layered bool
	// SpoolDir is where an archive is written out that cannot be read where it
	// lies; the directory for temporary files where it is empty.
	SpoolDir string

	// documents has a pull end before the layers.
	documents bool
}

// Via says how a root is read.
type Via string

// The values of Via: a view of an image or committed snapshot, the layers of an
// image, an active snapshot read-only, the root that a container's task sees, or the
// directory that a stopped container without a snapshot has as its root.
const (
	ViaView      Via = "view"
	ViaLayers    Via = "layers"
	ViaSnapshot  Via = "snapshot"
	ViaTask      Via = "task"
	ViaDirectory Via = "directory"
)

// View is a root filesystem, opened for reading only.
type View struct {
	// Image is what the root was made from: empty, but never nil, for a
	// snapshot or a container of which that is not known.
	Image *Image
	// Container is whose root it is, nil but for a container or pod.
	Container *Container
	// UIDs and GIDs are the user namespace for whose processes the root's
	// owners are stored; none for the host's.
	UIDs, GIDs []rspec.LinuxIDMapping
	// Via says how the root is read.
	Via Via
	// Live says that others may write to the root while it is read.
	Live        bool
	Snapshotter string
	// Key names the lease, and the view under it where one was taken.
	Key string
	// Root is the root directory; everything is to be opened below it. It is
	// the caller's to close, before Close; nil where Via is ViaLayers.
	Root *os.File
	// Lower is empty but where Request.Layered is set. Root then is a directory
	// above those, named below it and the topmost first, of which overlayfs would
	// make the root; it was not asked to, which saves most of what reading
	// through it costs.
	Lower []string
	// Layers are the image's, the lowest first, where Via is ViaLayers.
	Layers []Layer
	// Foreign lists the names in Root that are not the image's: the filesystem
	// that the snapshotter made for it has them of its own.
	Foreign []string
	// Size is about how many bytes the files of an image have; 0 where it is
	// not known, or Options.Progress is nil.
	Size int64

	store  *Store // nil for an archive that is read by its layers
	source Source
	// archive is what such layers lie in.
	archive collection
	// dirs are what Root is made of: directories of this host.
	dirs []string
	// made is what undoing removes.
	made *ledger
	// keeper keeps the lease from expiring.
	keeper *keeper
}

// View opens the root filesystem that the request names: a view of an image,
// which is pulled and unpacked before where that is to be done; a snapshot; or
// a container's root. After an error nothing is left but what a pull or an
// unpacking keeps in the store as cache. Where a file hangs, View returns some seconds
// after ctx has ended, and leaves behind what hangs. The caller closes the view.
func (s *Store) View(ctx context.Context, req Request) (*View, error) {
	want, err := platform(req.Platform)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	v := &View{Image: &Image{}, Key: key, store: s, source: req.Source, made: new(ledger)}
	opened := false
	var keeper *keeper
	err = s.with(ctx, func(ctx context.Context, sess *session) error {
		err := v.attempt(ctx, sess, func() (err error) {
			if err = v.open(ctx, sess, req, want); err == nil {
				keeper, err = v.settle(ctx, sess)
			}
			return err
		})
		opened = err == nil
		return err
	})
	if err != nil && opened {
		// All went well but for letting go of the store.
		err = errors.Join(err, v.closeRoot(), v.Close(ctx))
	}
	if err != nil {
		return nil, err
	}
	keeper.start(ctx)
	v.keeper = keeper
	return v, nil
}

// Close lets a paused task go on that no other view holds still, and removes the
// view and its lease, also where ctx has ended: it has a deadline of its own,
// before which it waits for an embedded store that others use.
func (v *View) Close(ctx context.Context) error {
	if v.archive != nil {
		return v.archive.Close()
	}
	var kept error
	if v.keeper != nil {
		var last leases.Lease
		last, kept = v.keeper.end()
		kept = errors.Join(kept, v.made.note(func(r *remains) { r.lease = last }))
	}
	return errors.Join(kept, v.store.with(outliving(ctx), func(ctx context.Context, sess *session) error {
		ctx, cancel := undoing(ctx)
		defer cancel()
		_, err := hostfile.SettleWithin(givingUp(ctx), undoTimeout+hostfile.Grace, func() (struct{}, error) {
			return struct{}{}, v.undo(ctx, sess, false)
		}, nil)
		sess.lost = hostfile.AsHung(err) != nil
		return err
	}))
}

func (v *View) open(ctx context.Context, sess *session, req Request, want wanted) error {
	err := v.openRoot(ctx, sess, req, want)
	if err == nil && v.Root != nil && len(v.Lower) == 0 {
		err = v.findForeign()
	}
	return err
}

func (v *View) openRoot(ctx context.Context, sess *session, req Request, want wanted) error {
	switch req.Source.Kind {
	case SnapshotKey:
		return v.openSnapshot(ctx, sess)
	case ContainerID, PodName:
		return v.openContainer(ctx, sess, req, want)
	}
	if req.Via == ViaLayers && req.Source.InArchive() {
		return fmt.Errorf("opening %q by its layers: it is for OpenArchive", req.Source)
	}
	want, err := readingAny(ctx, sess, want)
	if err != nil {
		return err
	}
	if req.Via == ViaLayers {
		return v.openLayers(ctx, sess, req, want)
	}
	return v.openImage(ctx, sess, req, want)
}

// hold puts what ctx makes from here on under the view's lease.
func (v *View) hold(ctx context.Context, sess *session, labels map[string]string) (context.Context, error) {
	lease := leaseOf(v.Key, labels)
	err := v.made.note(func(r *remains) { r.run, r.lease, r.paused = v.Key, lease, labels[labelPaused] })
	if err != nil {
		return ctx, err
	}
	return v.leased(ctx, sess, lease)
}

// findForeign fills in Foreign.
func (v *View) findForeign() (err error) {
	if v.Foreign, err = rootfs.Foreign(v.Root); err != nil {
		return fmt.Errorf("opening the root of %q: %w", v.source, err)
	}
	return nil
}

// mount opens the root that mounts make up.
func (v *View) mount(ctx context.Context, sess *session, mounts []mount.Mount) error {
	var err error
	if !rootfs.Detachable(mounts) {
		if mounts, err = v.activate(ctx, sess, mounts); err != nil {
			return err
		}
	}
	v.Root, err = v.openMounts(ctx, mounts)
	var denied *MountDeniedError
	if errors.As(err, &denied) && !v.made.noted().mounted {
		// In a pod without CAP_SYS_ADMIN the daemon mounts what this process
		// could mount elsewhere.
		var aerr error
		if mounts, aerr = v.activate(ctx, sess, mounts); aerr != nil {
			return errors.Join(err, aerr)
		}
		if v.made.noted().mounted {
			v.Root, err = v.openMounts(ctx, mounts)
		}
	}
	return err
}

// openMounts opens the root of mounts, which are the daemon's host's.
func (v *View) openMounts(ctx context.Context, mounts []mount.Mount) (*os.File, error) {
	mounts, err := rootfs.OnHost(v.store.opts.HostRoot, mounts)
	if err != nil {
		return nil, fmt.Errorf("mounting the root of %q: %w", v.source, err)
	}
	v.dirs = rootfs.Dirs(mounts)
	root, err := rootfs.Open(ctx, mounts)
	if err == nil && v.made.noted().mounted {
		if err = rootfs.CheckSeen(root); err != nil {
			err = errors.Join(err, root.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("mounting the root of %q: %w", v.source, err)
	}
	return root, nil
}

// activate lets the daemon's mount manager mount what rootfs.Open cannot: the
// erofs snapshotter's mounts are templates that only the daemon resolves.
// Daemons before 2.2 and embedded stores have no such manager, and then
// rootfs.Open has to do.
func (v *View) activate(ctx context.Context, sess *session, mounts []mount.Mount) ([]mount.Mount, error) {
	if sess.mounts == nil {
		return mounts, nil
	}
	if err := v.made.note(func(r *remains) { r.mounted = true }); err != nil {
		return nil, err
	}
	// A lease that is handed over has no mounts to give: these stay with the
	// view, and go with it.
	stay := mount.WithLabels(map[string]string{"containerd.io/gc.bref.snapshot." + v.Snapshotter: v.Key})
	var info mount.ActivationInfo
	err := v.made.whole(ctx, func(ctx context.Context) (err error) {
		info, err = sess.mounts.Activate(ctx, v.Key, rootfs.Cloned(mounts), mount.WithTemporary, stay)
		return err
	})
	if errdefs.IsNotImplemented(err) {
		return mounts, v.made.note(func(r *remains) { r.mounted = false })
	}
	if err == nil && v.Via != ViaView {
		// An active snapshot is not ours: there is no view yet for the mounts to
		// stay with, so one of nothing is taken.
		_, err = v.viewOf(ctx, sess, "")
	}
	if err != nil {
		return nil, fmt.Errorf("activating the mounts of %q: %w", v.source, err)
	}
	return info.System, nil
}
