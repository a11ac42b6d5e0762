package rootfs

import (
	"errors"
	"fmt"
)

// ErrNeedsLinux says that a root can be mounted on Linux only.
var ErrNeedsLinux = errors.New("mounting needs Linux")

// Causes of a SourceError about a container's root directory.
var (
	ErrNotTaskRoot  = errors.New("it is not what the container's process has as its root, as far as can be seen from here")
	ErrHostRoot     = errors.New("it is the host's own root, and no container's")
	ErrLinkedRoot   = errors.New("a symlink is in its path, which may lead elsewhere than when the container ran")
	ErrNothingThere = errors.New("it is empty: what the container had there is not mounted any more")
)

// SourceError says why a directory or file that a snapshot's mount is made of, or a
// container's root directory, cannot be opened.
type SourceError struct {
	Path string
	// HostRoot is the root of the daemon's host, where Path was looked for below
	// it.
	HostRoot string
	Err      error
}

func (e *SourceError) Error() string {
	if e.HostRoot != "" {
		return fmt.Sprintf("opening %q below %q: %v", e.Path, e.HostRoot, e.Err)
	}
	return fmt.Sprintf("opening %q: %v", e.Path, e.Err)
}

func (e *SourceError) Unwrap() error { return e.Err }

// PropagationError says that what the daemon mounted at Path is not mounted
// there for this process, which is in a mount namespace of its own.
type PropagationError struct{ Path string }

func (e *PropagationError) Error() string {
	return fmt.Sprintf("opening %q: what containerd has mounted there is not to be seen from here", e.Path)
}

// MountDeniedError says that this process may not mount: it has no
// CAP_SYS_ADMIN, or a security module forbids it.
type MountDeniedError struct{ Err error }

func (e *MountDeniedError) Error() string { return e.Err.Error() }

func (e *MountDeniedError) Unwrap() error { return e.Err }
