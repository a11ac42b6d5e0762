package snapshot

import (
	"errors"
	"fmt"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// Why the root of a container without a snapshot cannot be read: what its record
// names is not where its process has its root, or is the root of its host, or is behind
// a symlink, or is an empty directory, or is nothing.
var (
	ErrNotTaskRoot  = rootfs.ErrNotTaskRoot
	ErrHostRoot     = rootfs.ErrHostRoot
	ErrLinkedRoot   = rootfs.ErrLinkedRoot
	ErrNothingThere = rootfs.ErrNothingThere
	ErrNoRoot       = errors.New("its record names no snapshot and no root directory")
)

// AbsentError says that the store has no container, pod or snapshot of a name
// where it was looked for, and where else it has one.
type AbsentError struct {
	Kind            SourceKind
	Name, Namespace string
	// Embedded is the embedded store's directory, empty for a daemon.
	Embedded string
	// Snapshotter is the one whose snapshot was looked for, else empty.
	Snapshotter string
	// Namespaces and Snapshotters are the other ones that have it.
	Namespaces, Snapshotters []string
	// Docker is the namespace of docker's containers, if the store has one: it may
	// be one of those, by a name that only docker knows.
	Docker string
}

func (e *AbsentError) Error() string {
	where := fmt.Sprintf("namespace %q", e.Namespace)
	if e.Embedded != "" {
		where += fmt.Sprintf(" of the embedded store %q", e.Embedded)
	}
	if e.Snapshotter != "" {
		where = fmt.Sprintf("snapshotter %q, %s", e.Snapshotter, where)
	}
	switch {
	case len(e.Snapshotters) > 0:
		return fmt.Sprintf("finding %s %q in %s: it is only in snapshotter %s", e.Kind, e.Name, where, quoted(e.Snapshotters))
	case len(e.Namespaces) > 0:
		return fmt.Sprintf("finding %s %q in %s: it is only in namespace %s", e.Kind, e.Name, where, quoted(e.Namespaces))
	}
	return fmt.Sprintf("finding %s %q in %s: not found", e.Kind, e.Name, where)
}

func (e *AbsentError) Unwrap() error { return ErrNotFound }

// AmbiguousError says that the name of a container or pod stands for several.
type AmbiguousError struct {
	Kind SourceKind
	Name string
	Have []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("finding %s %q: it may be %s", e.Kind, e.Name, listed(e.Have))
}

func (e *AmbiguousError) Unwrap() error { return ErrNotFound }

// ShiftedError says that an active snapshot cannot be read, since some of its
// owners are shifted by the mount of its container, and some on disk.
type ShiftedError struct{ Key string }

func (e *ShiftedError) Error() string {
	return fmt.Sprintf("reading snapshot %q: owners are shifted by its container's id-mapped mount, and only that shows all of them", e.Key)
}
