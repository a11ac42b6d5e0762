package layers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// Tree is an image's merged layers; it is an export.Tree. It may be used side
// by side. Names, attributes and bodies stay readable until Close.
type Tree struct {
	root    *node
	sources []source // by layer
	closers []io.Closer
	implied time.Time
	report  Report
}

// source is a layer's tar, or its filesystem, of the given size.
type source struct {
	io.ReaderAt
	size  int64
	image *erofs.Image
}

var _ export.Tree = (*Tree)(nil)

// Report says what Open read.
func (t *Tree) Report() Report { return t.report }

// Close gives back the spool and the blobs that were read in place.
func (t *Tree) Close() error {
	var errs []error
	for _, c := range t.closers {
		errs = append(errs, c.Close())
	}
	t.closers = nil
	return errors.Join(errs...)
}

// Walk visits every entry but the root's, in export.Tree's order.
func (t *Tree) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return t.walkBelow(ctx, t.root, "", visit)
}

func (t *Tree) walkBelow(ctx context.Context, dir *node, above string, visit func(*export.Entry) error) error {
	for _, n := range dir.dir.sorted() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		path := n.name
		if above != "" {
			path = above + "/" + n.name // a prefix that ends in "/" would be kept beside it
		}
		err := visit(t.entry(n, path))
		if n.dir != nil {
			if errors.Is(err, fs.SkipDir) {
				continue
			}
			if err == nil {
				err = t.walkBelow(ctx, n, path, visit)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Lookup gives the entry at a path, by export.Tree's rules.
func (t *Tree) Lookup(_ context.Context, path string) (*export.Entry, error) {
	clean := cleanPath(path)
	n := lookup(t.root, clean)
	if n == nil {
		return nil, fmt.Errorf("looking up %q: %w", path, fs.ErrNotExist)
	}
	if clean == "" {
		clean = "."
	}
	return t.entry(n, clean), nil
}

func (t *Tree) entry(n *node, path string) *export.Entry {
	i := n.inode
	e := &export.Entry{
		Path: path, Type: i.kind, Target: i.target(),
		Mode: uint32(i.mode), UID: i.uid, GID: i.gid, Size: i.size,
		MTime: time.Unix(i.seconds, int64(i.nanos)),
	}
	if i.implied {
		e.MTime = t.implied
	}
	if i.extra != nil {
		e.RdevMajor, e.RdevMinor = i.extra.major, i.extra.minor
	}
	if i.names > 1 {
		e.Link = export.LinkKey{Device: 1, Inode: uint64(i.number)}
	}
	if attrs := i.xattrs(); len(attrs) > 0 {
		e.Xattrs = func(context.Context) ([]export.Xattr, error) { return attrs, nil }
	}
	if i.size > 0 {
		e.Open = func(context.Context) (io.ReadCloser, error) { return t.open(i, path) }
	}
	return e
}

// open reads a body out of its layer. It takes no descriptor, so any number of
// them may be open.
func (t *Tree) open(i *inode, path string) (io.ReadCloser, error) {
	from := t.sources[i.layer]
	if from.image != nil {
		file, err := from.image.Inode(uint64(i.offset))
		if err != nil {
			return nil, fmt.Errorf("opening %q: %w", path, err)
		}
		return &content{io.NewSectionReader(file, 0, i.size), path}, nil
	}
	if !i.sparse {
		return &content{io.NewSectionReader(from, i.offset, i.size), path}, nil
	}
	// archive/tar knows all four ways in which a header lists holes.
	r := tar.NewReader(io.NewSectionReader(from, i.offset, from.size-i.offset))
	if _, err := r.Next(); err != nil {
		return nil, fmt.Errorf("opening %q: %w", path, err)
	}
	return &content{r, path}, nil
}

// content names the file in what goes wrong when it is read.
type content struct {
	io.Reader
	path string
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading %q: %w", c.path, err)
	}
	return n, err
}

func (c *content) Close() error { return nil }
