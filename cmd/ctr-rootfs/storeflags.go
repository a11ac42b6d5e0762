package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
	"github.com/spf13/pflag"
)

// storeFlags say where images are found; every verb has them.
type storeFlags struct {
	streams
	address, namespace, snapshotter, dir string
	platform, pull                       string
	timeout                              time.Duration
	debug                                bool
	registry                             *registryFlags
}

func newStoreFlags(flags *pflag.FlagSet, s streams) *storeFlags {
	f := &storeFlags{streams: s, registry: newRegistryFlags(flags, s)}
	flags.StringVarP(&f.address, "address", "a", os.Getenv("CONTAINERD_ADDRESS"), "containerd's socket [$CONTAINERD_ADDRESS] (default \""+snapshot.DefaultAddress+"\")")
	flags.StringVarP(&f.namespace, "namespace", "n", os.Getenv("CONTAINERD_NAMESPACE"), "containerd's namespace [$CONTAINERD_NAMESPACE] (default \"default\", of pod: \"k8s.io\")")
	flags.StringVar(&f.snapshotter, "snapshotter", os.Getenv("CONTAINERD_SNAPSHOTTER"), "snapshotter [$CONTAINERD_SNAPSHOTTER] (default the namespace's, else containerd's)")
	flags.StringVar(&f.dir, "store", os.Getenv("CTR_ROOTFS_STORE"), "use the embedded store in `DIR` and no daemon [$CTR_ROOTFS_STORE]")
	flags.StringVar(&f.platform, "platform", "", "`OS/ARCH[/VARIANT]` of the image (default this host's)")
	flags.StringVar(&f.pull, "pull", string(snapshot.PullMissing), "when to pull an image: missing, always or never")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after this `DURATION` (as 30s or 5m; default never)")
	flags.BoolVar(&f.debug, "debug", false, "show what containerd's libraries log")
	return f
}

// open gives a view of SOURCE, and a func that removes it again and must be
// called, also when ctx has ended by then. pause holds a container still until
// that.
func (f *storeFlags) open(ctx context.Context, source string, pause bool) (*snapshot.View, func() error, error) {
	req, err := f.request(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	if req.Pause = pause; pause && !req.Source.HasTask() {
		return nil, nil, usagef("reading --pause: %q is no container and no pod", source)
	}
	location, err := f.locate(req.Source)
	if err != nil {
		return nil, nil, err
	}
	namespace := f.namespace
	if namespace == "" {
		namespace = req.Source.DefaultNamespace()
	}
	store, tellStore, err := f.connectTo(ctx, location, namespace)
	if err != nil {
		return nil, nil, err
	}
	view, err := store.View(ctx, req)
	if err != nil {
		return nil, nil, joined(err, store.Close())
	}
	tellStore()
	return view, func() error { return joined(view.Close(ctx), store.Close()) }, nil
}

// connect opens the store for a verb that has no SOURCE.
func (f *storeFlags) connect(ctx context.Context) (*snapshot.Store, error) {
	location, err := snapshot.Locate(f.address, f.dir)
	if err != nil {
		return nil, err
	}
	store, tellStore, err := f.connectTo(ctx, location, f.namespace)
	if err != nil {
		return nil, err
	}
	tellStore()
	return store, nil
}

// connectTo opens a store, and gives a func that says which. An error stands
// alone; anything else that is told begins with the store.
func (f *storeFlags) connectTo(ctx context.Context, location snapshot.Location, namespace string) (*snapshot.Store, func(), error) {
	if err := f.log(); err != nil {
		return nil, nil, err
	}
	tellStore := sync.OnceFunc(func() { f.notice("using " + location.String()) })
	var step func(snapshot.Step)
	if f.progress.wanted() {
		step = f.progress.step
	}
	store, err := snapshot.Open(ctx, snapshot.Options{
		Progress:    step,
		Location:    location,
		Namespace:   namespace,
		Snapshotter: f.snapshotter,
		Notify: func(text string) {
			tellStore()
			f.notice(text)
		},
	})
	return store, tellStore, err
}

// log applies --debug.
func (f *storeFlags) log() error {
	if f.debug {
		return snapshot.LogTo(f.errors)
	}
	return snapshot.LogTo(nil)
}

func (f *storeFlags) request(ctx context.Context, source string) (snapshot.Request, error) {
	src, err := snapshot.ParseSource(source)
	if err != nil {
		return snapshot.Request{}, usageError{err}
	}
	if err := src.Exists(); err != nil {
		return snapshot.Request{}, err
	}
	pull := snapshot.Pull(f.pull)
	switch pull {
	case snapshot.PullMissing, snapshot.PullAlways, snapshot.PullNever:
	default:
		return snapshot.Request{}, usagef("reading --pull %q: it is missing, always or never", f.pull)
	}
	if err := snapshot.CheckPlatform(f.platform); err != nil {
		return snapshot.Request{}, usageError{err}
	}
	registry, err := f.registry.registry(ctx, src.Kind == snapshot.ImageName && pull != snapshot.PullNever)
	if err != nil {
		return snapshot.Request{}, err
	}
	return snapshot.Request{Source: src, Platform: f.platform, Pull: pull, Registry: registry, Stdin: f.in}, nil
}

// locate chooses the store. An archive never goes into a daemon, whose image
// names it could change.
func (f *storeFlags) locate(src snapshot.Source) (snapshot.Location, error) {
	if src.InArchive() {
		return snapshot.LocateEmbedded(f.dir)
	}
	return snapshot.Locate(f.address, f.dir)
}
