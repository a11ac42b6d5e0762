package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// prefixTree is Prefix's decorator.
type prefixTree struct {
	tree  Tree
	dir   string
	mtime time.Time
}

// Prefix shows t below the directory dir, which is relative and clean; a slash
// at its end is allowed. The directories that lead there come first, with mode
// 0755, owner 0:0 and the time mtime. Symlinks keep their targets as they are.
// The tree that it returns closes t.
func Prefix(t Tree, dir string, mtime time.Time) (Tree, error) {
	dir, err := prefixDir(dir)
	if err != nil {
		return nil, err
	}
	return &prefixTree{t, dir, mtime}, nil
}

// CheckPrefix says why Prefix would refuse dir, or nil.
func CheckPrefix(dir string) error {
	_, err := prefixDir(dir)
	return err
}

func prefixDir(dir string) (string, error) {
	if strings.HasPrefix(dir, "/") {
		return "", fmt.Errorf("prefix %q is absolute: give a directory inside the archive, as in %q", dir, "rootfs/")
	}
	clean := strings.TrimSuffix(dir, "/")
	for name := range strings.SplitSeq(clean, "/") {
		switch {
		case name == "":
			return "", fmt.Errorf("prefix %q has an empty component", dir)
		case name == "." || name == "..":
			return "", fmt.Errorf("prefix %q has the component %q", dir, name)
		case strings.ContainsRune(name, 0):
			return "", fmt.Errorf("prefix %q holds a NUL byte", dir)
		}
	}
	return clean, nil
}

func (t *prefixTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	for _, dir := range append(parentsOf(t.dir), t.dir) {
		err := visit(madeDirectory(dir, t.mtime))
		if errors.Is(err, fs.SkipDir) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return t.tree.Walk(ctx, func(e *Entry) error { return visit(t.below(e)) })
}

func (t *prefixTree) Lookup(ctx context.Context, path string) (*Entry, error) {
	if path == "." || path == t.dir || slices.Contains(parentsOf(t.dir), path) {
		return madeDirectory(path, t.mtime), nil
	}
	if !isBelow(path, t.dir) {
		return nil, notFound(path)
	}
	e, err := t.tree.Lookup(ctx, path[len(t.dir)+1:])
	if err != nil {
		return nil, err
	}
	return t.below(e), nil
}

func (t *prefixTree) Close() error { return t.tree.Close() }

func (t *prefixTree) below(e *Entry) *Entry {
	moved := *e
	moved.Path = t.dir + "/" + e.Path
	return &moved
}

// madeDirectory is a directory that this tool adds by itself.
func madeDirectory(path string, mtime time.Time) *Entry {
	return &Entry{Path: path, Type: Directory, Mode: 0o755, MTime: mtime}
}
