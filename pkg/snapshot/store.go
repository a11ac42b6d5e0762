package snapshot

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// Options say which store to use. The zero value is no store: Location must
// be set.
type Options struct {
	Location Location
	// Namespace is containerd's; "default" where it is empty.
	Namespace string
	// Snapshotter is used instead of the namespace's or the store's default.
	Snapshotter string
	// HostRoot is where the root directory of the daemon's host is mounted, for
	// a process in a container: what the daemon names is looked for below it.
	// It is empty where both have the same root, and an embedded store's is ours.
	HostRoot string
	// Notify is told, in a line, what a person would want to know while
	// waiting; nil tells nobody.
	Notify func(string)
	// Warn gets a line about what a person may not expect, though the work goes
	// on; nil drops it.
	Warn func(string)
	// Progress is told how far the work is, several times a second and from
	// any goroutine; nil tells nobody.
	Progress func(Step)
	// MaxBytes bounds what an archive inflates to, and what the layers do that
	// an embedded store unpacks for one view; 0 is DefaultMaxBytes.
	MaxBytes int64
	// LeaseLife is how long a view outlives a process that was killed, before
	// the store's collector may take it: MinLeaseLife at least, 24 hours where it
	// is 0. What a process has begun that was killed while it opened a view lives
	// for 24 hours at least. A living process has its view for as long as it wants.
	// What holds a task still goes by Collect alone.
	LeaseLife time.Duration
}

// Store is a store of images and snapshots: a daemon's or an embedded one.
type Store struct {
	opts    Options
	backend backend
}

// backend gives access to the parts of containerd. acquire and release frame
// every use: an embedded store is locked in between and must be free while an
// export streams.
type backend interface {
	acquire(ctx context.Context) (*session, error)
	release(ctx context.Context, s *session) error
	// blobs can be read outside of a session, too; inPlace says that they are
	// files of this host.
	blobs() (_ content.Provider, inPlace bool, _ error)
	// answers says whether the daemon is there, and has been since it was connected
	// to; an embedded store always is.
	answers(ctx context.Context) bool
	close() error
}

// session is a client that may be used until it is released.
type session struct {
	client *containerd.Client
	// mounts is the daemon's mount manager, which a daemon before 2.2 has not
	// implemented; nil for an embedded store.
	mounts mount.Manager
	// collect removes what no image and no lease holds; nil where a daemon
	// does that in its own time.
	collect func(context.Context) error
	// close ends the session; nil where the client is shared.
	close func() error
	// lost says that what hangs uses the session still.
	lost bool
}

// Open connects to the store and makes sure that it answers. The caller
// closes it.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Namespace == "" {
		o.Namespace = namespaces.Default
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.LeaseLife == 0 {
		o.LeaseLife = defaultLeaseLife
	}
	if o.LeaseLife < MinLeaseLife {
		return nil, fmt.Errorf("opening %s: a lease life of %s is below %s", o.Location, o.LeaseLife, MinLeaseLife)
	}
	s := &Store{opts: o}
	var err error
	if o.Location.Dir != "" {
		s.opts.HostRoot = ""
		s.backend, err = openEmbedded(o)
	} else {
		s.backend, err = dial(s.inNamespace(ctx), o.Location.Address)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// embedded says whether the store is this process's own, and no daemon's.
func (s *Store) embedded() bool { return s.opts.Location.Dir != "" }

// Close ends the connection. Views that are still open must be closed before.
func (s *Store) Close() error { return s.backend.close() }

func (s *Store) inNamespace(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, s.opts.Namespace)
}

// with runs fn on a session, in the store's namespace.
func (s *Store) with(ctx context.Context, fn func(context.Context, *session) error) (err error) {
	ctx = s.inNamespace(ctx)
	sess, err := s.backend.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if !sess.lost {
			err = errors.Join(err, s.backend.release(ctx, sess))
		}
	}()
	return s.cause(ctx, fn(ctx, sess))
}

// cause prefers the reason for which ctx ended over what a cancelled call said
// of it, and says of a daemon that went away that it did.
func (s *Store) cause(ctx context.Context, err error) error {
	var socket *SocketError
	var undo *UndoError
	var view *ViewError
	switch {
	case err == nil, hostfile.AsHung(err) != nil, errors.As(err, &socket), errors.As(err, &undo):
		return err
	case errors.As(err, &view) && ctx.Err() != nil:
		return err // it has the reason for which ctx ended
	case ended(ctx, err):
		return context.Cause(ctx)
	case (unavailable(err) || errdefs.IsUnknown(err)) && !s.backend.answers(ctx):
		// What is written to a stream that broke is reported as an unknown error, "EOF".
		// A daemon that is well says unavailable of a plugin in another process.
		return &SocketError{Address: s.opts.Location.Address, Err: errGone}
	}
	return err
}

// snapshotter gives the name of the snapshotter in force: the one asked for,
// else the namespace's default label, else containerd's default. A name that
// the store does not know is a SnapshotterError.
func (s *Store) snapshotter(ctx context.Context, sess *session) (string, error) {
	name := s.opts.Snapshotter
	if name == "" {
		label, err := sess.client.GetLabel(ctx, defaults.DefaultSnapshotterNSLabel)
		if err != nil {
			return "", fmt.Errorf("reading the default snapshotter of namespace %q: %w", s.opts.Namespace, err)
		}
		name = label
	}
	have, err := snapshotters(ctx, sess)
	if err != nil {
		return "", err
	}
	if name == "" {
		name = preferred(have)
	}
	for _, h := range have {
		if h == name {
			return name, nil
		}
	}
	return "", &SnapshotterError{Name: name, Have: have}
}

// preferred is containerd's default, or the only snapshotter that there is.
func preferred(have []string) string {
	if len(have) == 1 {
		return have[0]
	}
	return defaults.DefaultSnapshotter
}

// snapshotters lists the snapshotters that the store has and that work there,
// sorted.
func snapshotters(ctx context.Context, sess *session) ([]string, error) {
	resp, err := sess.client.IntrospectionService().Plugins(ctx, "type=="+string(plugins.SnapshotPlugin))
	if err != nil {
		return nil, fmt.Errorf("listing snapshotters: %w", err)
	}
	var names []string
	for _, p := range resp.Plugins {
		if p.InitErr == nil {
			names = append(names, p.ID)
		}
	}
	sort.Strings(names)
	return names, nil
}
