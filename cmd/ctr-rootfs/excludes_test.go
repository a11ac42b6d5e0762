package main

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// TestGivenAs: of what was for nothing because a symlink stands in its way, the
// path to give is known.
func TestGivenAs(t *testing.T) {
	dir, file, link := exporttest.Dir, exporttest.File, exporttest.Link
	entries := []*export.Entry{
		link("abs", "/usr/bin"), link("bin", "usr/bin"), link("conf", "private/etc"), link("d", "dev"), dir("dev"), file("dev/console", ""),
		link("etc", "private/etc"), link("gone", "none"), link("lib", "usr/lib"), link("loop", "loop"), link("odd", "usr/a*b"), link("private", "real"),
		dir("real"), dir("real/etc"), file("real/etc/hosts", ""), link("slash", "/"), dir("usr"), dir("usr/a*b"), file("usr/a*b/x", ""),
		dir("usr/bin"), file("usr/bin/sh", ""), dir("usr/lib"), link("usr/lib/up", "../bin"), file("usr/lib/x", ""),
	}
	for _, c := range []struct {
		include, exclude, keep string
		want                   string // empty where nothing better is known
	}{
		{include: "bin/sh", want: "usr/bin/sh"},
		{include: "/bin//sh/", want: "usr/bin/sh"},
		{include: "abs/sh", want: "usr/bin/sh"},
		{include: "lib/up/sh", want: "usr/bin/sh"},
		{include: "slash/bin/sh", want: "usr/bin/sh"},
		{include: "slash/usr", want: "usr"},
		{include: "bin/*", want: "usr/bin/*"},
		{include: "lib/**/x", want: "usr/lib/**/x"},
		{include: "lib/[xy]", want: "usr/lib/[xy]"},
		{exclude: "bin/sh", want: "usr/bin/sh"},
		{exclude: "!bin/sh", want: "!usr/bin/sh"},
		{include: "bin/bash"},
		{include: "none/sh"},
		{include: "gone/x"},
		{include: "loop/x"},
		{include: "odd/x"}, // which a pattern would have to escape
		{include: "*/none"},
		{include: "usr/bin/bash"},
		{include: "none"},
		{keep: "real/etc/hosts", want: "etc/hosts"},
		{keep: "conf/hosts", want: "etc/hosts"},
		{keep: "/private/etc/resolv.conf", want: "etc/resolv.conf"},
		{keep: "d/console", want: "dev/console"},
		{keep: "conf/shadow"},
		{keep: "bin/sh"},
		{keep: "loop/hosts"},
	} {
		f := treeFlags{profile: "moby"}
		given := c.include + c.exclude + c.keep
		switch given {
		case c.include:
			f.includes = []string{given}
		case c.exclude:
			f.excludes = []string{given}
		case c.keep:
			f.keeps = []string{given}
		}
		tree, err := f.shown(exporttest.New(entries...), time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Walk(context.Background(), func(*export.Entry) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if forNothing := len(tree.filter.Unmatched()) + len(tree.unkept); forNothing != 1 {
			t.Errorf("%q: %d are for nothing, want 1", given, forNothing)
		}
		want := map[string]string{}
		if c.want != "" {
			want[given] = c.want
		}
		if got := tree.givenAs(context.Background()); !maps.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
