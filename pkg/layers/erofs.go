package layers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// erofsReader puts the files of an EROFS layer into its index.
type erofsReader struct {
	*index
	// links are the objects of several names, by nid, and seen the directories.
	links   map[uint64]*inode
	seen    map[uint64]struct{}
	unnamed unnamed
	// sizes is the bytes of all files together.
	sizes int64
}

// indexErofs adds each file of the filesystem in x.source to x.
func indexErofs(ctx context.Context, x *index) (err error) {
	if x.image, err = erofs.Open(x.source, x.size); err != nil {
		return err
	}
	r := &erofsReader{index: x, links: make(map[uint64]*inode), seen: make(map[uint64]struct{})}
	root, err := x.image.Inode(x.image.Root())
	if err != nil {
		return err
	}
	if root.Mode&erofs.TypeMask != erofs.TypeDir {
		return errors.New("its root is not a directory")
	}
	h, opaque, err := headerOf(root)
	if err != nil {
		return fmt.Errorf("reading its root: %w", err)
	}
	if err := x.addRoot(h); err != nil {
		return fmt.Errorf("adding its root: %w", err)
	}
	x.root.dir.opaque = opaque
	r.unnamed.note(root, h, x.root, nil)
	if err := r.addBelow(ctx, x.root, root.Nid, ""); err != nil {
		return err
	}
	r.unnamed.settle(x)
	return nil
}

// addBelow adds what is in a directory, and in those in it.
func (r *erofsReader) addBelow(ctx context.Context, dir *node, nid uint64, path string) error {
	if _, again := r.seen[nid]; again {
		return fmt.Errorf("the directory %q is at several places", path)
	}
	r.seen[nid] = struct{}{}
	inode, err := r.image.Inode(nid)
	if err != nil {
		return err
	}
	type below struct {
		dir *node
		nid uint64
	}
	var directories []below
	err = inode.ReadDir(func(d erofs.Dirent) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(path) >= maxPath {
			return &LimitError{LimitPath, maxPath}
		}
		if err := r.addName(ctx, dir, d); err != nil {
			return fmt.Errorf("adding %q: %w", d.Name, err)
		}
		if n := dir.child(d.Name); n != nil && n.dir != nil {
			directories = append(directories, below{n, d.Nid})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the directory %q: %w", "/"+path, err)
	}
	for _, d := range directories {
		if err := r.addBelow(ctx, d.dir, d.nid, strings.TrimPrefix(path+"/"+d.dir.name, "/")); err != nil {
			return err
		}
	}
	return nil
}

// addName adds one name of a directory.
func (r *erofsReader) addName(ctx context.Context, parent *node, d erofs.Dirent) error {
	r.quota.headers.Add(1)
	parent.dir.touched = true
	if known := r.links[d.Nid]; known != nil {
		parent.dir.put(&node{name: d.Name, inode: known})
		return r.quota.addEntry(d.Name)
	}
	i, err := r.image.Inode(d.Nid)
	if err != nil {
		return err
	}
	kind := kindOfMode(i.Mode)
	if kind == export.CharDevice && i.Major == 0 && i.Minor == 0 {
		r.unnamed.note(i, nil, nil, nil)
		return r.hide(parent, d.Name)
	}
	if kind == export.Regular {
		if err := r.chargeFile(i); err != nil {
			return err
		}
		if err := i.Verify(ctx); err != nil {
			return err
		}
	}
	h, opaque, err := headerOf(i)
	if err != nil {
		return err
	}
	if err := r.addObject(parent, d.Name, kind, h, body{offset: int64(d.Nid)}); err != nil {
		return err
	}
	n := parent.child(d.Name)
	r.unnamed.note(i, h, n, parent)
	switch {
	case n.dir != nil:
		n.dir.opaque = opaque
	case i.Links > 1:
		r.links[d.Nid] = n.inode
	}
	return nil
}

// chargeFile charges what files hold beyond the layer's own bytes, which are
// charged already: files may have blocks in common, and holes.
func (r *erofsReader) chargeFile(i *erofs.Inode) error {
	if i.Size > r.quota.maxBytes { // the sum must not wrap
		return &LimitError{LimitBytes, r.quota.maxBytes}
	}
	charged := max(r.sizes-r.size, 0)
	r.sizes += i.Size
	return r.quota.addBytes(max(r.sizes-r.size, 0) - charged)
}

// kindOfMode gives the object that a mode stands for.
func kindOfMode(mode uint16) export.Type {
	switch mode & erofs.TypeMask {
	case erofs.TypeDir:
		return export.Directory
	case erofs.TypeSymlink:
		return export.Symlink
	case erofs.TypeChar:
		return export.CharDevice
	case erofs.TypeBlock:
		return export.BlockDevice
	case erofs.TypeFIFO:
		return export.FIFO
	case erofs.TypeSocket:
		return export.Socket
	}
	return export.Regular // no other mode is read
}

// headerOf gives the tar header that says of an object what its inode does, and
// whether it is marked as opaque.
func headerOf(i *erofs.Inode) (h *tar.Header, opaque bool, err error) {
	h = &tar.Header{
		Mode: int64(i.Mode & modeBits), Uid: int(i.UID), Gid: int(i.GID), Size: i.Size,
		ModTime:  time.Unix(i.Seconds, int64(i.Nanos)),
		Devmajor: int64(i.Major), Devminor: int64(i.Minor),
	}
	if i.Mode&erofs.TypeMask == erofs.TypeSymlink {
		if h.Linkname, err = i.Target(maxTarget); err != nil {
			return nil, false, err
		}
	}
	err = i.Xattrs(func(x erofs.Xattr) error {
		value, err := x.Value()
		if err != nil {
			return err
		}
		if mark := overlayMark(x.Name); mark != "" {
			opaque = opaque || mark == "opaque"
			return checkMark(x.Name, mark, value)
		}
		if _, again := h.PAXRecords[xattrRecord+x.Name]; again {
			return nil // Linux shows the first one
		}
		if h.PAXRecords == nil {
			h.PAXRecords = make(map[string]string)
		}
		h.PAXRecords[xattrRecord+x.Name] = string(value)
		return nil
	})
	return h, opaque, err
}

// overlayMark gives what the name of overlayfs's own attribute says (kernel,
// Documentation/filesystems/overlayfs.rst), and nothing for others.
func overlayMark(name string) string {
	for _, prefix := range []string{"trusted.overlay.", "user.overlay."} {
		if mark, isMark := strings.CutPrefix(name, prefix); isMark {
			return mark
		}
	}
	return ""
}

// checkMark fails on marks by which content, or what is in a directory, is found
// elsewhere. Opaque directories that are so by another value than "y" hold
// whiteouts of another kind.
func checkMark(name, mark string, value []byte) error {
	if slices.Contains([]string{"redirect", "metacopy", "whiteout"}, mark) || mark == "opaque" && string(value) != "y" {
		return &FilesystemError{What: fmt.Sprintf("the attribute %s=%q", name, value)}
	}
	return nil
}
