package export

import (
	"context"
	"time"
)

// clampTree is Clamp's decorator.
type clampTree struct {
	Tree
	max time.Time
}

// Clamp shows t with no modification time later than limit, and every time in
// whole seconds, cut and not rounded (also before 1970). The tree that it
// returns closes t.
func Clamp(t Tree, limit time.Time) Tree {
	return clampTree{t, wholeSeconds(limit)}
}

func (t clampTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	return t.Tree.Walk(ctx, func(e *Entry) error { return visit(t.clamp(e)) })
}

func (t clampTree) Lookup(ctx context.Context, path string) (*Entry, error) {
	e, err := t.Tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	return t.clamp(e), nil
}

func (t clampTree) clamp(e *Entry) *Entry {
	mtime := wholeSeconds(e.MTime)
	// After counts from the year 1, which overflows for the latest times.
	if mtime.Unix() > t.max.Unix() {
		mtime = t.max
	}
	if mtime.Equal(e.MTime) {
		return e
	}
	clamped := *e
	clamped.MTime = mtime
	return &clamped
}

// Reproducible shows t as Clamp does, and every directory with the time limit.
// A directory's own time is not the same everywhere: where a layer changes what
// lies below it without naming it, overlayfs makes a new directory, with the
// time of the unpacking, and a filesystem that holds the merged layers (btrfs,
// blockfile) keeps the old one. Nothing in a view tells which was the case.
func Reproducible(t Tree, limit time.Time) Tree {
	return directoryTimes{Clamp(t, limit), wholeSeconds(limit)}
}

// directoryTimes is the decorator of Reproducible.
type directoryTimes struct {
	Tree
	mtime time.Time
}

func (t directoryTimes) Walk(ctx context.Context, visit func(*Entry) error) error {
	return t.Tree.Walk(ctx, func(e *Entry) error { return visit(t.apply(e)) })
}

func (t directoryTimes) Lookup(ctx context.Context, path string) (*Entry, error) {
	e, err := t.Tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	return t.apply(e), nil
}

func (t directoryTimes) apply(e *Entry) *Entry {
	if e.Type != Directory {
		return e
	}
	same := *e
	same.MTime = t.mtime
	return &same
}

// wholeSeconds cuts towards the past: Unix counts down for times before 1970.
func wholeSeconds(t time.Time) time.Time {
	return time.Unix(t.Unix(), 0).UTC()
}
