package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
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
	req, target, err := j.ready(ctx, source, out)
	if err != nil {
		return err
	}
	var done metadata
	err = j.use(ctx, req, func(ctx context.Context, o *opened) error {
		tree, err := hostfile.Settle(ctx, func() (export.Tree, error) { return arrange(ctx, o) }, nil)
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
		return joined(err, target.abandon(ctx), out.metadata.abandon(ctx))
	}
	// Only now that all is undone, too: an output that stands is a success.
	if err := target.complete(ctx); err != nil {
		return joined(err, out.metadata.abandon(ctx))
	}
	tell(out.streams, done)
	if err := out.metadata.write(ctx, done); err != nil {
		return err
	}
	return j.tree.live.judge(done)
}

// ready reads what the flags name, and opens the outputs.
func (j job) ready(ctx context.Context, source string, out *outputFlags) (request, *target, error) {
	type result struct {
		request
		*target
	}
	r, err := hostfile.Settle(ctx, func() (r result, err error) {
		if err := out.check(); err != nil {
			return r, err
		}
		if r.request, err = j.request(ctx, source); err != nil {
			return r, err
		}
		if err := out.checkSource(r.request); err != nil {
			return r, err
		}
		r.target, err = out.open(ctx)
		return r, err
	}, func(r result, err error) {
		if err == nil {
			_ = r.target.abandon(ctx) // nobody listens any more
		}
	})
	if err != nil {
		return r.request, nil, j.hungEarly(source, err)
	}
	err = hostfile.SettleErr(ctx, func() error { return out.metadata.open(ctx) }, func(err error) {
		if err == nil {
			_ = out.metadata.abandon(ctx)
		}
	})
	if err != nil {
		return r.request, nil, joined(j.hungEarly(source, err), r.target.abandon(ctx))
	}
	return r.request, r.target, nil
}

// hungEarly says what was to be done where something hung before SOURCE was opened.
func (j job) hungEarly(source string, err error) error {
	if hostfile.AsHung(err) != nil {
		return fmt.Errorf("%s %q: %w", j.doing, source, err)
	}
	return err
}

// read runs use on the tree of SOURCE, and writes nothing but what use does.
func (j job) read(ctx context.Context, source string, use func(context.Context, *opened) error) error {
	req, err := hostfile.Settle(ctx, func() (request, error) { return j.request(ctx, source) }, nil)
	if err != nil {
		return j.hungEarly(source, err)
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
		return notFetched(req.Source, err)
	}
	if err := j.tree.checkDated(view.Image); err != nil {
		return joined(fmt.Errorf("%s %q: %w", j.doing, req.typed, err), undo())
	}
	latest := j.tree.latest(view.Image.Config.Created)
	base, err := hostfile.Settle(ctx, func() (base, error) { return j.store.baseTree(ctx, view, latest) }, func(b base, err error) {
		if err == nil {
			_ = b.Close() // it was only read
		}
	})
	if err != nil {
		return joined(fmt.Errorf("reading %q: %w", req.typed, indexing(ctx, view, err)), undo())
	}
	tree, err := j.tree.shown(base, latest)
	if err != nil {
		return joined(err, base.Close(), undo())
	}
	tree.Tree, tree.openDirs = doubted(view, base.undecided(), tree.Tree)
	err = fn(ctx, &opened{source: req.typed, view: view, tree: tree, base: base, latest: latest})
	err = reason(ctx, view, err)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s %q: %w", j.doing, req.typed, err)
	}
	if hostfile.AsHung(err) == nil { // what hangs uses the tree still
		err = joined(err, hostfile.SettleErr(ctx, tree.Close, nil))
	}
	return joined(err, undo())
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
