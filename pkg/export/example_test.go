package export_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"testing/fstest"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// fsTree is a Tree of one's own: the files of an fs.FS, all root's.
type fsTree struct{ files fs.FS }

// Walk visits what fs.WalkDir does, whose order is a Tree's.
func (t fsTree) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return fs.WalkDir(t.files, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, err := t.Lookup(ctx, path)
		if err != nil {
			return err
		}
		return visit(e)
	})
}

// Lookup wraps fs.ErrNotExist for a name that is not there, as fs.Stat does.
func (t fsTree) Lookup(_ context.Context, path string) (*export.Entry, error) {
	info, err := fs.Stat(t.files, path)
	if err != nil {
		return nil, err
	}
	e := &export.Entry{Path: path, Type: export.Directory, Mode: uint32(info.Mode().Perm()), MTime: info.ModTime()}
	if info.Mode().IsRegular() {
		e.Type, e.Size = export.Regular, info.Size()
		e.Open = func(context.Context) (io.ReadCloser, error) { return t.files.Open(path) }
	}
	return e, nil
}

// Close has nothing to release.
func (fsTree) Close() error { return nil }

// smallRoot is a root filesystem of three files.
func smallRoot() export.Tree {
	made := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	dir := &fstest.MapFile{Mode: fs.ModeDir | 0o755, ModTime: made}
	return fsTree{fstest.MapFS{
		"bin":           dir,
		"bin/app":       {Data: []byte("#!/bin/sh\n"), Mode: 0o755, ModTime: made},
		"etc":           dir,
		"etc/hostname":  {Data: []byte("builder\n"), Mode: 0o644, ModTime: made},
		"usr":           dir,
		"usr/share":     dir,
		"usr/share/doc": {Data: []byte("much\n"), Mode: 0o644, ModTime: made},
	}}
}

// printTar prints the names in a tar.
func printTar(r io.Reader) {
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%04o %s\n", h.Mode, h.Name)
	}
}

// A root filesystem is written to any io.Writer. The tar is whole only if Write
// gives no error: after one it ends so that every reader fails on it.
func ExampleWrite() {
	tree := smallRoot()
	defer tree.Close() //nolint:errcheck // it was only read

	var out bytes.Buffer
	report, err := export.Write(context.Background(), tree, export.NewTar(&out))
	if err != nil {
		log.Fatal(err)
	}
	printTar(&out)
	fmt.Println(report.Entries(), "entries,", report.Bytes, "bytes of files")
	// Output:
	// 0755 bin/
	// 0755 bin/app
	// 0755 etc/
	// 0644 etc/hostname
	// 0755 usr/
	// 0755 usr/share/
	// 0644 usr/share/doc
	// 7 entries, 23 bytes of files
}

// The same in a zstd stream, parallel and the same bytes each time.
func ExampleNewCompressedTar() {
	var out bytes.Buffer
	sink, err := export.NewCompressedTar(&out, export.Compression{Format: "zstd"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := export.Write(context.Background(), smallRoot(), sink); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", out.Bytes()[:4])
	// Output: 28b52ffd
}

// Decorators change what a tree shows; the outermost closes them all. Here the
// documentation is left out, the host's name is replaced, and the names go
// below a directory.
func ExampleNewFilter() {
	filter, err := export.NewFilter(smallRoot(), export.Rules{Exclude: []string{"usr/share/*", "!usr/share/licenses"}})
	if err != nil {
		log.Fatal(err)
	}
	named := export.Insert(filter, []export.Made{{
		Path: "etc/hostname", Type: export.Regular, Mode: 0o644, Content: []byte("vm\n"),
	}})
	tree, err := export.Prefix(named, "rootfs", time.Unix(0, 0))
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close() //nolint:errcheck // it was only read

	var out bytes.Buffer
	if _, err := export.Write(context.Background(), tree, export.NewTar(&out)); err != nil {
		log.Fatal(err)
	}
	printTar(&out)
	fmt.Println("left out:", filter.Excluded(), "matched nothing:", filter.Unmatched())
	// Output:
	// 0755 rootfs/
	// 0755 rootfs/bin/
	// 0755 rootfs/bin/app
	// 0755 rootfs/etc/
	// 0644 rootfs/etc/hostname
	// 0755 rootfs/usr/
	// 0755 rootfs/usr/share/
	// left out: 1 matched nothing: [!usr/share/licenses]
}

// What the moby tool leaves out and replaces is a Profile.
func ExampleProfile() {
	profile := export.Moby(time.Unix(0, 0)).Without([]string{"etc/resolv.conf"})
	tree := export.Insert(export.Omit(smallRoot(), profile.Omit), profile.Files)
	hostname, err := export.ReadFile(context.Background(), tree, "etc/hostname", 64)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", hostname)
	// Output: moby
}

// A bundle is a tree, too; its config.json is any text, such as that of
// pkg/ocispec.
func ExampleBundle() {
	config := []byte(`{"ociVersion": "1.0.2", "root": {"path": "rootfs"}}`)
	tree, err := export.Bundle(smallRoot(), config, "app", time.Unix(0, 0))
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := export.Write(context.Background(), tree, export.NewTar(&out)); err != nil {
		log.Fatal(err)
	}
	printTar(&out)
	// Output:
	// 0755 app/
	// 0644 app/config.json
	// 0755 app/rootfs/
	// 0755 app/rootfs/bin/
	// 0755 app/rootfs/bin/app
	// 0755 app/rootfs/etc/
	// 0644 app/rootfs/etc/hostname
	// 0755 app/rootfs/usr/
	// 0755 app/rootfs/usr/share/
	// 0644 app/rootfs/usr/share/doc
}

// readOnly is a decorator of one's own: nobody may write.
type readOnly struct{ export.Tree }

func (t readOnly) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return t.Tree.Walk(ctx, func(e *export.Entry) error { return visit(without(e)) })
}

func (t readOnly) Lookup(ctx context.Context, path string) (*export.Entry, error) {
	e, err := t.Tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	return without(e), nil
}

// without copies e, which belongs to the tree below.
func without(e *export.Entry) *export.Entry {
	changed := *e
	changed.Mode &^= 0o222
	return &changed
}

// Any type with the three methods is a Tree: a source (fsTree, in this file) or
// a decorator, which embeds another.
func ExampleTree() {
	var out bytes.Buffer
	if _, err := export.Write(context.Background(), readOnly{smallRoot()}, export.NewTar(&out)); err != nil {
		log.Fatal(err)
	}
	printTar(&out)
	// Output:
	// 0555 bin/
	// 0555 bin/app
	// 0555 etc/
	// 0444 etc/hostname
	// 0555 usr/
	// 0555 usr/share/
	// 0444 usr/share/doc
}
