package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/plugins/content/local"
	bolt "go.etcd.io/bbolt"
	boltErrors "go.etcd.io/bbolt/errors"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

const (
	// lockPoll is how often a store that another process holds is tried.
	lockPoll = 200 * time.Millisecond
	// lockPatience is how long before giving up: the other process may be
	// pulling a large image. What undoes waits as long, before its own time
	// begins.
	lockPatience = 10 * time.Minute
)

// ErrNotPrivate says that others may enter an embedded store's directory.
var ErrNotPrivate = errors.New("others may enter it")

var errStoreBusy = errors.New("another process holds it")

// embedded is a backend that keeps images in a directory, by containerd's own
// content store, metadata, snapshotter and differ. Each session opens them
// and closes them again.
type embedded struct {
	dir    string
	notify func(string)
	// maxBytes bounds what a session unpacks.
	maxBytes int64
}

// openEmbedded makes sure that dir is there and ours alone: its snapshots
// hold setuid files, and the content store makes its folders 0755.
func openEmbedded(o Options) (*embedded, error) {
	dir := o.Location.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &StoreError{Dir: dir, Err: errors.Unwrap(err)}
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, &StoreError{Dir: dir, Err: errors.Unwrap(err)}
	}
	if err := private(info); err != nil {
		return nil, &StoreError{Dir: dir, Err: err}
	}
	return &embedded{dir: dir, notify: o.Notify, maxBytes: o.MaxBytes}, nil
}

func private(info fs.FileInfo) error {
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	return oursAlone(info)
}

func (e *embedded) acquire(ctx context.Context) (*session, error) {
	sess, err := e.open(ctx)
	if err != nil {
		return nil, &StoreError{Dir: e.dir, Err: err}
	}
	return sess, nil
}

// open gives up where a file hangs, but not where another process has the lock.
func (e *embedded) open(ctx context.Context) (*session, error) {
	// The metadata's lock is taken first and let go last, so that whoever has
	// it finds the snapshotter's own database free.
	lock, err := e.lock(ctx)
	if err != nil {
		return nil, err
	}
	return hostfile.Settle(givingUp(ctx), func() (*session, error) { return e.parts(ctx, lock) }, func(s *session, err error) {
		if err == nil {
			_ = s.close() // nobody has used it
		}
	})
}

// parts opens what a session has beside the metadata database, which it takes over.
func (e *embedded) parts(ctx context.Context, lock *bolt.DB) (_ *session, err error) {
	undo := []func() error{lock.Close}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(undo))
		}
	}()
	blobs, err := local.NewStore(e.contentDir())
	if err != nil {
		return nil, err
	}
	snapshotters, err := e.snapshotters()
	for _, sn := range snapshotters {
		undo = append(undo, sn.Close)
	}
	if err != nil {
		return nil, err
	}
	if err := removeOrphans(ctx, snapshotters); err != nil {
		return nil, err
	}
	db := metadata.NewDB(lock, blobs, snapshotters)
	if err := db.Init(ctx); err != nil {
		return nil, err
	}
	client, err := containerd.New("", containerd.WithServices(services(db, snapshotters, inflate.NewQuota(e.maxBytes))...))
	if err != nil {
		return nil, err
	}
	return &session{
		client: client,
		collect: func(ctx context.Context) error {
			_, err := db.GarbageCollect(ctx)
			return errors.Join(err, e.removeStrays())
		},
		close: func() error { return closeAll(undo) },
	}, nil
}

// lock opens the metadata database, which admits one process at a time.
func (e *embedded) lock(ctx context.Context) (*bolt.DB, error) {
	for start, told := time.Now(), false; ; {
		db, err := e.openDatabase(ctx)
		if err == nil || !errors.Is(err, boltErrors.ErrTimeout) {
			return db, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", errStoreBusy, context.Cause(ctx))
		}
		if time.Since(start) > lockPatience {
			return nil, fmt.Errorf("%w for %s already", errStoreBusy, lockPatience)
		}
		if !told {
			e.notify(fmt.Sprintf("waiting for another ctr-rootfs that holds the store %q", e.dir))
			told = true
		}
	}
}

// openDatabase gives up where the file hangs.
func (e *embedded) openDatabase(ctx context.Context) (*bolt.DB, error) {
	path := filepath.Join(e.dir, "metadata.db")
	return hostfile.Settle(givingUp(ctx), func() (*bolt.DB, error) {
		return bolt.Open(path, 0o600, &bolt.Options{Timeout: lockPoll})
	}, func(db *bolt.DB, err error) {
		if err == nil {
			_ = db.Close() // nobody has used it
		}
	})
}

func (e *embedded) release(ctx context.Context, s *session) error {
	if err := hostfile.SettleErr(givingUp(ctx), s.close, nil); err != nil {
		return &StoreError{Dir: e.dir, Err: err}
	}
	return nil
}

// blobs gives the content store alone, whose files need no lock: a lease keeps
// those that are read.
func (e *embedded) blobs() (content.Provider, bool, error) {
	store, err := local.NewStore(e.contentDir())
	if err != nil {
		return nil, false, &StoreError{Dir: e.dir, Err: err}
	}
	return store, true, nil
}

func (e *embedded) contentDir() string { return filepath.Join(e.dir, "content") }

func (e *embedded) answers(context.Context) bool { return true }

func (e *embedded) close() error { return nil }

// closeAll closes in the reverse order of opening.
func closeAll(parts []func() error) error {
	var errs []error
	for i := len(parts) - 1; i >= 0; i-- {
		errs = append(errs, parts[i]())
	}
	return errors.Join(errs...)
}
