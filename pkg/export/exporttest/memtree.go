// Package exporttest helps to test code that makes, decorates or reads an
// export.Tree: a tree in memory, a check of every promise of a Walk, and a Sink
// that remembers what it was given. It is for tests only and reads no files.
package exporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// MemTree is a tree in memory.
type MemTree struct {
	entries []*export.Entry // sorted
	// Closed counts the calls of Close.
	Closed int
}

// New makes a tree of entries in any order. An entry whose parent directory is
// missing, or a path that stands twice, is a mistake in the test and panics.
func New(entries ...*export.Entry) *MemTree {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b *export.Entry) int { return export.Compare(a.Path, b.Path) })
	dirs := map[string]bool{"": true}
	for i, e := range sorted {
		if i > 0 && sorted[i-1].Path == e.Path {
			panic(fmt.Sprintf("exporttest: %q stands twice", e.Path))
		}
		if !dirs[e.Path[:max(0, strings.LastIndexByte(e.Path, '/'))]] {
			panic(fmt.Sprintf("exporttest: %q has no directory above it", e.Path))
		}
		if e.Type == export.Directory {
			dirs[e.Path] = true
		}
	}
	return &MemTree{entries: sorted}
}

// Walk visits the entries.
func (t *MemTree) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	skip := ""
	for _, e := range t.entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if skip != "" && strings.HasPrefix(e.Path, skip) {
			continue
		}
		err := visit(e)
		if errors.Is(err, fs.SkipDir) && e.Type == export.Directory {
			skip = e.Path + "/"
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Lookup finds an entry by its path.
func (t *MemTree) Lookup(_ context.Context, path string) (*export.Entry, error) {
	if path == "." {
		return Dir("."), nil
	}
	for _, e := range t.entries {
		if e.Path == path {
			return e, nil
		}
	}
	return nil, fmt.Errorf("looking up %q: %w", path, fs.ErrNotExist)
}

// Close counts.
func (t *MemTree) Close() error {
	t.Closed++
	return nil
}

// Dir is a directory of mode 0755.
func Dir(path string) *export.Entry {
	return &export.Entry{Path: path, Type: export.Directory, Mode: 0o755}
}

// File is a regular file of mode 0644.
func File(path, content string) *export.Entry {
	e := &export.Entry{Path: path, Type: export.Regular, Mode: 0o644, Size: int64(len(content))}
	if content != "" {
		e.Open = func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte(content))), nil
		}
	}
	return e
}

// Link is a symlink.
func Link(path, target string) *export.Entry {
	return &export.Entry{Path: path, Type: export.Symlink, Target: target, Mode: 0o777}
}

// Node is anything else, of mode 0600.
func Node(path string, kind export.Type) *export.Entry {
	return &export.Entry{Path: path, Type: kind, Mode: 0o600}
}

// HardLinked gives e the identity of an inode that has several names.
func HardLinked(e *export.Entry, device, inode uint64) *export.Entry {
	e.Link = export.LinkKey{Device: device, Inode: inode}
	return e
}

// WithXattrs gives e extended attributes, which must be sorted by name.
func WithXattrs(e *export.Entry, attrs ...export.Xattr) *export.Entry {
	e.Xattrs = func(context.Context) ([]export.Xattr, error) { return attrs, nil }
	return e
}
