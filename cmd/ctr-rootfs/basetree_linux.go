package main

import (
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// openRoot reads a view's root directory.
func (b *base) openRoot(view *snapshot.View) error {
	if len(view.Lower) > 0 {
		b.Tree = export.NewOverlayTree(view.Root, view.Lower)
		return nil
	}
	if !view.Live {
		b.Tree = export.NewDirTree(view.Root)
		return nil
	}
	live, err := export.NewLiveTree(view.Root)
	if err != nil {
		return err
	}
	b.Tree, b.changes = live, live.Changes
	return nil
}
