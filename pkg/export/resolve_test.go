package export_test

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

func resolveTree() export.Tree {
	return exporttest.New(
		exporttest.Dir("usr"), exporttest.Dir("usr/etc"), exporttest.File("usr/etc/passwd", "root"),
		exporttest.Link("etc", "usr/etc"), exporttest.Link("abs", "/usr/etc"), exporttest.Link("out", "../../../usr"),
		exporttest.Link("loop", "loop"), exporttest.Link("dangling", "/run/x/y"),
		exporttest.Link("usr/up", "../etc/passwd"), exporttest.Link("slash", "/"),
		exporttest.Node("fifo", export.FIFO),
	)
}

func TestResolve(t *testing.T) {
	tree := resolveTree()
	for _, c := range []struct {
		path, want string
		err        error
	}{
		{"etc/passwd", "usr/etc/passwd", nil},
		{"/etc//passwd/", "usr/etc/passwd", nil},
		{"abs/passwd", "usr/etc/passwd", nil},
		{"out/etc/passwd", "usr/etc/passwd", nil},
		{"usr/up", "usr/etc/passwd", nil},
		{"slash/slash/etc", "usr/etc", nil},
		{"../../etc/../etc", "usr/etc", nil},
		{"slash", ".", nil}, {"", ".", nil}, {"/", ".", nil}, {"usr/..", ".", nil},
		{"etc/shadow", "usr/etc/shadow", fs.ErrNotExist},
		{"dangling/z", "run/x/y/z", fs.ErrNotExist},
		{"none/a/../b", "none/b", fs.ErrNotExist},
		{"etc/passwd/x", "usr/etc/passwd/x", fs.ErrNotExist},
		{"loop", "loop", syscall.ELOOP},
	} {
		got, e, err := export.Resolve(t.Context(), tree, c.path)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("Resolve(%q) = %q, %v; want %q, %v", c.path, got, err, c.want, c.err)
		}
		if (e == nil) != (err != nil) || e != nil && e.Path != c.want {
			t.Errorf("Resolve(%q) gives the entry %+v", c.path, e)
		}
	}
}

func TestReadFile(t *testing.T) {
	tree := resolveTree()
	if data, err := export.ReadFile(t.Context(), tree, "abs/passwd", 4); string(data) != "root" || err != nil {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
	for path, want := range map[string]string{
		"etc/passwd": "over the limit of 3", "fifo": "is a FIFO", "etc": "is a directory", "etc/none": "not exist",
	} {
		_, err := export.ReadFile(t.Context(), tree, path, 3)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadFile(%q): %v, want an error with %q", path, err, want)
		}
	}
}
