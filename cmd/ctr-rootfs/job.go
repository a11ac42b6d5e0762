package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// job is what the verbs have in common: from SOURCE to its tree.
type job struct {
	store *storeFlags
	tree  *treeFlags
	// doing is the verb, for what is told of it: "exporting".
	doing string
}

// opened is an image whose tree can be read.
type opened struct {
	source string
	view   *snapshot.View
	tree   *shownTree
	base   base
	// latest is the time of what this tool makes itself.
	latest time.Time
	// dropped is what of the image's config is not in config.json.
	dropped []ocispec.Dropped
	// volumes are those that config.json has, by their clean paths.
	volumes map[string]struct{}
}

// size is about how many bytes the files have: it counts what later layers
// replace, too.
func (o *opened) size() int64 {
	if o.base.layers != nil {
		return o.base.layers.Report().Inflated
	}
	return o.view.Size
}

// arrangement is what a verb makes of an image's tree before it is written.
type arrangement func(context.Context, *opened) (export.Tree, error)

// write writes what arrange gives to out. The order is that of the cost: flags,
// output, image.
func (j job) write(ctx context.Context, source string, out *outputFlags, arrange arrangement) error {
	if err := out.check(); err != nil {
		return err
	}
	req, err := j.request(ctx, source)
	if err != nil {
		return err
	}
	if err := out.checkSource(req); err != nil {
		return err
	}
	target, err := out.open(ctx)
	if err != nil {
		return err
	}
	if err := out.metadata.open(ctx); err != nil {
		return joined(err, target.abandon())
	}
	var done metadata
	err = j.use(ctx, req, func(ctx context.Context, o *opened) error {
		tree, err := arrange(ctx, o)
		if err != nil {
			return err
		}
		report, err := target.write(ctx, tree, out.progress.Sink(target.sink, o.size()))
		out.progress.Done()
		if err != nil {
			return err
		}
		done = describe(ctx, o, report, target)
		done.Output = out.described(target)
		return nil
	})
	if err != nil {
		return joined(err, target.abandon(), out.metadata.abandon())
	}
	// Only now that all is undone, too: an output that stands is a success.
	if err := target.finish(); err != nil {
		return joined(err, out.metadata.abandon())
	}
	tell(out.streams, done)
	if err := out.metadata.write(done); err != nil {
		return err
	}
	return j.tree.live.judge(done)
}

// read runs use on the tree of SOURCE, and writes nothing but what use does.
func (j job) read(ctx context.Context, source string, use func(context.Context, *opened) error) error {
	req, err := j.request(ctx, source)
	if err != nil {
		return err
	}
	return j.use(ctx, req, func(ctx context.Context, o *opened) error {
		// What use writes to a terminal stands where a bar would be drawn.
		j.store.progress.Done()
		return use(ctx, o)
	})
}

// request reads the flags and SOURCE, before anything is opened.
func (j job) request(ctx context.Context, source string) (request, error) {
	if err := j.tree.check(ctx); err != nil {
		return request{}, err
	}
	return j.store.request(source, j.tree.live.pause)
}

// use opens the image's tree, runs fn and undoes what opening did, whatever
// fn gives.
func (j job) use(ctx context.Context, req request, fn func(context.Context, *opened) error) error {
	view, undo, err := j.store.open(ctx, req)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("opening %q: %w", req.typed, err)
	}
	if err != nil {
		return err
	}
	if err := j.tree.checkDated(view.Image); err != nil {
		return joined(fmt.Errorf("%s %q: %w", j.doing, req.typed, err), undo())
	}
	latest := j.tree.latest(view.Image.Config.Created)
	base, err := j.store.baseTree(ctx, view, latest)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return joined(fmt.Errorf("reading %q: %w", req.typed, err), undo())
	}
	tree, err := j.tree.shown(base, latest)
	if err != nil {
		return joined(err, base.Close(), undo())
	}
	tree.Tree, tree.openDirs = doubted(view, tree.Tree)
	err = fn(ctx, &opened{source: req.typed, view: view, tree: tree, base: base, latest: latest})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s %q: %w", j.doing, req.typed, context.Cause(ctx))
	}
	return joined(err, tree.Close(), undo())
}

// tell says on stderr what was written and what could not be.
func tell(s streams, m metadata) {
	warnOf(s, m)
	s.notice(fmt.Sprintf("wrote %d entries of %s (%s)", m.Entries.Entries(), m.name(), progress.Size(m.Entries.Bytes)))
}

// warnOf reports what could not be written, what may not be the image's, and
// which patterns matched nothing.
func warnOf(s streams, m metadata) {
	for _, l := range m.LeftOut {
		if !l.Asked {
			s.warn(l.String())
		}
	}
	for _, d := range m.Doubts {
		s.warn(d.String())
	}
	for _, change := range m.Changed {
		s.warn(change.String())
	}
	if more := m.Changes - int64(len(m.Changed)); more > 0 {
		s.warn(fmt.Sprintf("%d files more changed while they were read", more))
	}
	for _, pattern := range m.Unmatched {
		s.warn(fmt.Sprintf("the pattern %q matched nothing", pattern) + m.instead(pattern))
	}
	for _, path := range m.Unkept {
		s.warn(fmt.Sprintf("--keep %q changes nothing: the profile neither leaves that out nor replaces it", path) + m.instead(path))
	}
}
