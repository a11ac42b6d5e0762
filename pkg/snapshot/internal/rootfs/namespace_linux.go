package rootfs

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// mountPoint is where mounts are made in a mount namespace of our own: a
// directory that every Linux has, and below which no snapshot lies.
const mountPoint = "/sys"

// openInNamespace runs mountAt in a mount namespace that only one thread of
// this process is in, and opens what it mounted. The namespace is gone when
// openInNamespace returns; the mount lives on in the descriptor alone.
func openInNamespace(ctx context.Context, mountAt func(target string) error) (*os.File, error) {
	type result struct {
		root *os.File
		err  error
	}
	done := make(chan result, 1)
	onThreadOfItsOwn(func() {
		root, err := mountAlone(mountAt)
		done <- result{root, err}
	})
	select {
	case r := <-done:
		return r.root, r.err
	case <-ctx.Done():
		// A mount that hangs cannot be interrupted; what it opens is closed
		// when it is through.
		go func() {
			if r := <-done; r.root != nil {
				r.root.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// onThreadOfItsOwn runs fn, beside its caller, on a thread that ends with it.
func onThreadOfItsOwn(fn func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			// Never unlocked: so the thread ends with this goroutine.
			fn()
			return
		}
		// The process's first thread does not end, and /proc/self shows its
		// namespace as the process's. It stays taken until fn has begun
		// elsewhere.
		begun := make(chan struct{})
		onThreadOfItsOwn(func() {
			close(begun)
			fn()
		})
		<-begun
		runtime.UnlockOSThread()
	}()
}

// mountAlone leaves the host's mount namespace, mounts and opens the result.
// It must run on a locked thread.
func mountAlone(mountAt func(target string) error) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("leaving the mount namespace: %w", err)
	}
	// Without this, what is mounted here would show in the host's namespace
	// wherever that is shared.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("making the mount namespace private: %w", err)
	}
	if err := mountAt(mountPoint); err != nil {
		return nil, err
	}
	return openDir(mountPoint)
}

// mountAll mounts what only containerd's code knows how to: loop devices,
// btrfs, FUSE helpers. It must not be given a long overlay, for which that
// code starts a thread of its own, outside of the namespace.
func mountAll(mounts []mount.Mount, target string) error {
	readonly := Cloned(mounts)
	for i := range readonly {
		readonly[i].Options = append(readonly[i].Options, "ro")
	}
	if err := mount.All(readonly, target); err != nil {
		return fmt.Errorf("mounting %s: %w", mounts[len(mounts)-1].Type, err)
	}
	return nil
}
