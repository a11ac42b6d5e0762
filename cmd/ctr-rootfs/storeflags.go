package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// storeFlags say where images are found; every verb has them.
type storeFlags struct {
	streams
	flags                                *pflag.FlagSet
	address, namespace, snapshotter, dir string
	hostRoot                             string
	platform, pull, via, spool           string
	timeout, lease                       time.Duration
	debug                                bool
	registry                             *registryFlags
	limits                               *limits
}

func newStoreFlags(flags *pflag.FlagSet, s streams) *storeFlags {
	f := &storeFlags{streams: s, flags: flags, registry: newRegistryFlags(flags, s), limits: newLimits(flags)}
	flags.StringVarP(&f.address, "address", "a", os.Getenv("CONTAINERD_ADDRESS"), "containerd's `SOCKET` [$CONTAINERD_ADDRESS] (default \""+snapshot.DefaultAddress+"\")")
	flags.StringVarP(&f.namespace, "namespace", "n", os.Getenv("CONTAINERD_NAMESPACE"), "containerd's `NAMESPACE` [$CONTAINERD_NAMESPACE] (default \"default\", of pod: \"k8s.io\")")
	flags.StringVar(&f.snapshotter, "snapshotter", os.Getenv("CONTAINERD_SNAPSHOTTER"), "`SNAPSHOTTER` [$CONTAINERD_SNAPSHOTTER] (default the namespace's, else containerd's)")
	flags.StringVar(&f.dir, "store", os.Getenv("CTR_ROOTFS_STORE"), "use the embedded store in `DIR` and no daemon [$CTR_ROOTFS_STORE]")
	flags.StringVar(&f.hostRoot, "host-root", "", "in a container: `DIR` where the root of containerd's host is mounted")
	flags.StringVar(&f.platform, "platform", "", "`PLATFORM` of the image, OS[(+FEATURE)]/ARCH[/VARIANT] (default this host's)")
	flags.StringVar(&f.pull, "pull", string(snapshot.PullMissing), "when to pull an image: missing, always or never")
	flags.StringVar(&f.via, "via", "auto", "view reads snapshots, layers reads blobs and needs no privilege, auto is view with a daemon, else layers")
	flags.StringVar(&f.spool, "spool", "", "`DIR` for what layers inflate to [$TMPDIR]")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after `DURATION`, as in 30s or 5m (default never)")
	flags.DurationVar(&f.lease, "lease", 24*time.Hour, "`DURATION` for which what a killed run left is kept")
	flags.BoolVar(&f.debug, "debug", false, "show what containerd's libraries log")
	return f
}

// check reads the flags that every verb has.
func (f *storeFlags) check() error {
	if f.timeout < 0 {
		return usagef("reading --timeout %s: it is a time to come", f.timeout)
	}
	if f.lease < snapshot.MinLeaseLife {
		return usagef("reading --lease %s: it is %s at least", f.lease, snapshot.MinLeaseLife)
	}
	if err := snapshot.CheckNamespace(f.namespace); err != nil {
		return usagef("reading --namespace %q: %w", f.namespace, err)
	}
	if f.choseDir() && f.flags.Changed("address") && f.address != "" {
		return usagef("reading --store %q: --address %q is another store", f.dir, f.address)
	}
	return f.checkImage()
}

// checkImage reads what is said of an image, as far as it says nothing of which.
func (f *storeFlags) checkImage() error {
	switch snapshot.Pull(f.pull) {
	case snapshot.PullMissing, snapshot.PullAlways, snapshot.PullNever:
	default:
		return usagef("reading --pull %q: it is missing, always or never", f.pull)
	}
	switch f.via {
	case "auto", "view", "layers":
	default:
		return usagef("reading --via %q: it is auto, view or layers", f.via)
	}
	if snapshot.CheckPlatform(f.platform) != nil {
		return usagef("reading --platform %q: it is OS/ARCH[/VARIANT], as in linux/arm64", f.platform)
	}
	return nil
}

// errTimeout is the cause with which --timeout ends the work.
var errTimeout = errors.New("the time given by --timeout is over")

// limited applies --timeout.
func (f *storeFlags) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout == 0 {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("%w (%s)", errTimeout, f.timeout.Round(time.Millisecond)))
	f.endBy(ctx)
	return ctx, cancel
}

// choseDir says that --store was given, and is not empty for the default.
func (f *storeFlags) choseDir() bool { return f.flags.Changed("store") && f.dir != "" }

// locateStore chooses the store. A flag wins over the other one's variable.
func (f *storeFlags) locateStore() (snapshot.Location, error) {
	if f.flags.Changed("address") && !f.choseDir() {
		return snapshot.Locate(f.address, "")
	}
	return snapshot.Locate(f.address, f.dir)
}

// connect opens the store for a verb that has no SOURCE.
func (f *storeFlags) connect(ctx context.Context) (*snapshot.Store, error) {
	location, err := f.locateStore()
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
	// first names the store before what is reported of it.
	first := func(tell func(string)) func(string) {
		return func(text string) {
			tellStore()
			tell(text)
		}
	}
	store, err := snapshot.Open(ctx, snapshot.Options{
		Progress:    f.step(),
		Location:    location,
		Namespace:   namespace,
		Snapshotter: f.snapshotter,
		MaxBytes:    f.limits.bytes.value,
		HostRoot:    f.hostRoot,
		LeaseLife:   f.lease,
		Notify:      first(f.notice),
		Warn:        first(f.warn),
	})
	return store, tellStore, err
}

// step is what is told how far the work is; nil where nobody looks.
func (f *storeFlags) step() func(snapshot.Step) {
	if !f.progress.Wanted() {
		return nil
	}
	return f.progress.Step
}

// log applies --debug.
func (f *storeFlags) log() error {
	if f.debug {
		return snapshot.LogTo(f.errors)
	}
	return snapshot.LogTo(nil)
}
