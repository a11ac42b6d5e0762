package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// TestDoubtedModes: only directories of exactly the mode and the owner that the
// erofs differ invents, and only where its snapshots are read.
func TestDoubtedModes(t *testing.T) {
	dir := func(path string, mode, uid, gid uint32) *export.Entry {
		e := exporttest.Dir(path)
		e.Mode, e.UID, e.GID = mode, uid, gid
		return e
	}
	file := exporttest.File("file", "x")
	file.Mode = 0o777
	plain := []*export.Entry{dir("etc", 0o755, 0, 0), file, dir("run", 0o777, 7, 0), dir("srv", 0o777, 0, 7), dir("tmp", 0o1777, 0, 0), dir("var", 0o2777, 0, 0)}
	open := append(slices.Clone(plain), dir("usr", 0o777, 0, 0), dir("usr/a\xff", 0o777, 0, 0))
	erofs := snapshot.View{Snapshotter: "erofs", Via: snapshot.ViaView}
	layers := snapshot.View{Snapshotter: "erofs", Via: snapshot.ViaLayers}
	for _, c := range []struct {
		name      string
		view      snapshot.View
		undecided int64
		entries   []*export.Entry
		want      string
	}{
		{"erofs", erofs, 0, open, `"usr" and 1 more have mode 0777 and owner 0:0, `},
		{"a container on erofs", snapshot.View{Snapshotter: "erofs"}, 0, open, `"usr" and 1 more have mode 0777 and owner 0:0, `},
		{"one", erofs, 0, append(slices.Clone(plain), dir("a\xff", 0o777, 0, 0)), `"a\xff" has mode 0777 and owner 0:0, `},
		{"none", erofs, 0, plain, ""},
		{"another snapshotter", snapshot.View{Snapshotter: "overlayfs", Via: snapshot.ViaView}, 0, open, ""},
		{"layers", layers, 0, open, ""},
		{"layers, undecided", layers, 2, open, `"usr" and 1 more have mode 0777 and owner 0:0, which mkfs.erofs gives to each directory that a layer changes without naming it: compare the image that was converted`},
		{"an archive's layers, undecided", snapshot.View{Via: snapshot.ViaLayers}, 1, open, `"usr" and 1 more have `},
		{"layers, undecided, and another layer has decided", layers, 3, plain, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, counted := doubted(&c.view, c.undecided, exporttest.New(c.entries...))
			for range 2 { // a second walk counts anew
				if err := tree.Walk(t.Context(), func(*export.Entry) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
			var said []string
			for _, d := range counted.doubts() {
				said = append(said, d.String())
			}
			got := strings.Join(said, "\n")
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestDoubtsInMetadata: a name that is not UTF-8 is whole there, too, and there
// is no key where nothing is doubted.
func TestDoubtsInMetadata(t *testing.T) {
	for _, c := range []struct {
		dirs *openDirs
		want string
	}{
		{&openDirs{first: "a\xff", count: 2}, `"doubts":[{"path":"a\ufffd","pathBytes":"Yf8=","count":2,"why":"mode 0777 and owner 0:0, `},
		{&openDirs{}, ""},
		{nil, ""},
	} {
		text, err := json.Marshal(metadata{Doubts: c.dirs.doubts()})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"doubts"`) != (c.want != "") || !strings.Contains(string(text), c.want) {
			t.Errorf("%+v gives %s, want %s", c.dirs, text, c.want)
		}
	}
}
