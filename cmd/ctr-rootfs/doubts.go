package main

import (
	"context"
	"fmt"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// erofsSnapshotter is containerd's snapshotter whose differ invents modes, see
// openDirs.
const erofsSnapshotter = "erofs"

// openDirs is a Tree that counts directories of mode 0777 and owner 0:0, where
// mkfs.erofs may have made some so: a directory that a layer changes without naming
// it, whatever the layers below say of it. Nothing tells such a directory from one
// that the image wants so: /tmp is 1777 in most images, and a plain 0777 is rare.
type openDirs struct {
	export.Tree
	why   string
	first string
	count int64
}

// doubted shows t, and counts what has to be doubted of it: of a view by the erofs
// snapshotter, and of layers with directories that their reader could not decide.
func doubted(view *snapshot.View, undecided int64, t export.Tree) (export.Tree, *openDirs) {
	counted := &openDirs{Tree: t}
	switch {
	case undecided > 0:
		counted.why = "mkfs.erofs gives to each directory that a layer changes without naming it: compare the image that was converted"
	case view.Snapshotter == erofsSnapshotter && view.Via != snapshot.ViaLayers:
		counted.why = "containerd's erofs differ gives to each directory that a layer changes without naming it: compare the image's own by --via layers"
	default:
		return t, nil
	}
	return counted, counted
}

// Walk visits what the tree below shows.
func (t *openDirs) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	t.first, t.count = "", 0
	return t.Tree.Walk(ctx, func(e *export.Entry) error {
		if e.Type == export.Directory && e.Mode == 0o777 && e.UID == 0 && e.GID == 0 {
			if t.count == 0 {
				t.first = e.Path
			}
			t.count++
		}
		return visit(e)
	})
}

// doubts is what the last walk found; t may be nil.
func (t *openDirs) doubts() []metadataDoubt {
	if t == nil || t.count == 0 {
		return nil
	}
	return []metadataDoubt{{
		Path: t.first, PathBytes: ifNoText(t.first), Count: t.count,
		Why: "mode 0777 and owner 0:0, which " + t.why,
	}}
}

// metadataDoubt is what was written as it was read, and may not be what the
// image says: Count things, the first of them at Path.
type metadataDoubt struct {
	Path      string `json:"path"`
	PathBytes []byte `json:"pathBytes,omitempty"`
	Count     int64  `json:"count"`
	Why       string `json:"why"`
}

// String is a line for people.
func (d metadataDoubt) String() string {
	if d.Count == 1 {
		return fmt.Sprintf("%q has %s", d.Path, d.Why)
	}
	return fmt.Sprintf("%q and %d more have %s", d.Path, d.Count-1, d.Why)
}
