package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// job is what export and bundle have in common: from SOURCE to an output.
type job struct {
	store *storeFlags
	tree  *treeFlags
	out   *outputFlags
}

// opened is an image whose tree can be read.
type opened struct {
	view *snapshot.View
	tree *shownTree
	// latest is the time of what this tool makes itself.
	latest time.Time
}

// run writes what arrange makes of the image's tree. The order is that of the
// cost: flags, output, image.
func (j job) run(ctx context.Context, source string, arrange func(context.Context, *opened) (export.Tree, error)) error {
	if err := j.tree.check(); err != nil {
		return err
	}
	if err := j.out.check(); err != nil {
		return err
	}
	ctx, cancel := j.store.limited(ctx)
	defer cancel()
	out, err := j.out.open(ctx)
	if err != nil {
		return err
	}
	o, done, err := j.open(ctx, source)
	if err != nil {
		return joined(err, out.abandon())
	}
	report, err := j.write(ctx, o, out, arrange)
	if err := joined(err, done()); err != nil {
		return err
	}
	j.tell(o, report)
	return nil
}

// open gives the image's tree and a func that closes it and undoes the view.
func (j job) open(ctx context.Context, source string) (*opened, func() error, error) {
	view, undo, err := j.store.open(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	latest := j.tree.latest(view.Image.Config.Created)
	base := export.NewDirTree(view.Root)
	tree, err := j.tree.shown(base, latest)
	if err != nil {
		return nil, nil, joined(err, base.Close(), undo())
	}
	o := &opened{view: view, tree: tree, latest: latest}
	return o, func() error { return joined(tree.Close(), undo()) }, nil
}

func (j job) write(ctx context.Context, o *opened, out *target, arrange func(context.Context, *opened) (export.Tree, error)) (export.Report, error) {
	tree, err := arrange(ctx, o)
	if err != nil {
		return export.Report{}, joined(causeOf(ctx, err), out.abandon())
	}
	return out.write(ctx, tree)
}

// tell says on stderr what was written and what could not be.
func (j job) tell(o *opened, r export.Report) {
	for _, pattern := range o.tree.filter.Unmatched() {
		j.out.notice(fmt.Sprintf("the pattern %q matched nothing", pattern))
	}
	for _, path := range r.Sockets {
		j.out.notice(fmt.Sprintf("%q is a socket, which no archive holds: it was left out", path))
	}
	j.out.notice(fmt.Sprintf("wrote %d entries of %s (%s)", r.Entries(), o.view.Image.Name, size(r.Bytes)))
}

// size gives bytes in the unit that a person reads most easily.
func size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit && prefix < 4 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTP"[prefix])
}
