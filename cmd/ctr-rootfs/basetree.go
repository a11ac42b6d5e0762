package main

import (
	"context"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// base is the tree of an opened root as it is, before any flag changes it.
type base struct {
	export.Tree
	// changes tells what changed meanwhile; nil where nobody may write to the
	// tree.
	changes func() (named []export.Change, count int64)
	// layers is set where the tree is merged from an image's layers.
	layers *layers.Tree
}

// baseTree gives the tree of a view, without what the snapshotter put there,
// and with its owners as its own processes see them. implied is the time of
// directories that no layer names.
func (f *storeFlags) baseTree(ctx context.Context, view *snapshot.View, implied time.Time) (b base, err error) {
	if view.Via == snapshot.ViaLayers {
		b.layers, err = layers.Open(ctx, f.layersOf(view), layers.Options{
			SpoolDir: f.spool, Implied: implied, MaxEntries: f.limits.entries.value, MaxBytes: f.limits.bytes.value,
		})
		b.Tree = b.layers
		return b, err
	}
	if err := b.openRoot(view); err != nil {
		return b, err
	}
	if len(view.Foreign) > 0 {
		b.Tree = export.Omit(b.Tree, view.Foreign)
	}
	b.Tree = export.Owners(b.Tree, view.UIDs, view.GIDs)
	return b, nil
}

// undecided is how many directories of the layers may have another mode in the
// image than they have here.
func (b base) undecided() int64 {
	if b.layers == nil {
		return 0
	}
	return b.layers.Report().Undecided
}

// layersOf gives a view's layers to pkg/layers, and watches how far they are
// read.
func (f *storeFlags) layersOf(view *snapshot.View) []layers.Layer {
	read := progress.NewBlobs(view.Layers, f.step())
	var all []layers.Layer
	for _, l := range view.Layers {
		layer := layers.Layer(l)
		layer.Open = func(ctx context.Context) (layers.Blob, error) {
			blob, err := l.Open(ctx)
			if err != nil {
				return nil, err
			}
			return read.Watch(blob), nil
		}
		all = append(all, layer)
	}
	return all
}
