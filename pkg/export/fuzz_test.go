package export_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/moby/patternmatcher"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// rawEntry is an entry as a fuzzer or a random generator makes it.
type rawEntry struct {
	name, target, attr string
	value, body        []byte
	kind               uint8
	mode, uid, gid     uint32
	sec                int64
	nsec               uint32
	major, minor       uint32
}

// entry makes of a raw entry one that a filesystem can hold; nil where nothing
// is left of the name.
func (r rawEntry) entry() *export.Entry {
	noNUL := strings.NewReplacer("\x00", "")
	name := strings.TrimPrefix(path.Clean("/"+noNUL.Replace(r.name)), "/")
	if name == "" {
		return nil
	}
	// The kinds after FIFO are not in a tar.
	kind := export.Regular + export.Type(r.kind%uint8(export.FIFO))
	e := exporttest.Node(name, kind)
	switch kind {
	case export.Regular:
		e = exporttest.File(name, string(r.body))
	case export.Symlink:
		if e.Target = noNUL.Replace(r.target); e.Target == "" {
			e.Target = "."
		}
	case export.CharDevice, export.BlockDevice:
		// Linux's dev_t has 12 and 20 bits (linux/kdev_t.h).
		e.RdevMajor, e.RdevMinor = r.major%(1<<12), r.minor%(1<<20)
	}
	e.Mode, e.UID, e.GID = r.mode&0o7777, r.uid, r.gid
	e.MTime = time.Unix(r.sec, int64(r.nsec%1e9))
	if attr := noNUL.Replace(r.attr); attr != "" {
		exporttest.WithXattrs(e, export.Xattr{Name: "user." + attr, Value: r.value})
	}
	return e
}

// withParents is a tree of e and the directories above it.
func withParents(e *export.Entry) *exporttest.MemTree {
	entries := []*export.Entry{e}
	for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
		entries = append(entries, exporttest.Dir(dir))
	}
	return exporttest.New(entries...)
}

// FuzzTarHeader writes an entry and reads it back by Go's reader.
func FuzzTarHeader(f *testing.F) {
	for _, r := range rawSeeds() {
		f.Add(r.name, r.target, r.attr, r.value, r.body, r.kind, r.mode, r.uid, r.gid, r.sec, r.nsec, r.major, r.minor)
	}
	f.Fuzz(func(t *testing.T, name, target, attr string, value, body []byte, kind uint8, mode, uid, gid uint32, sec int64, nsec, major, minor uint32) {
		e := rawEntry{name, target, attr, value, body, kind, mode, uid, gid, sec, nsec, major, minor}.entry()
		if e == nil {
			return
		}
		checkReadByGo(t, e, writeTar(t, withParents(e)))
	})
}

// rawSeeds are the edges of the fields of a header.
func rawSeeds() []rawEntry {
	long := strings.Repeat("n", 120)
	return []rawEntry{
		{name: "f", body: []byte("body"), mode: 0o644, nsec: 1},
		{name: strings.Repeat("a/", 80) + long, kind: 1, mode: 0o1777, sec: -1, nsec: 5e8},
		{name: long + "/\xff\xfe", target: "t\xe4", kind: 2, uid: 1<<21 - 1, gid: 1 << 21, sec: 1<<33 - 1},
		{name: "new\nline", target: long, kind: 2, mode: 0o777, uid: 1<<32 - 2, sec: 1 << 33, nsec: 999_999_999},
		{name: "c", kind: 3, major: 4095, minor: 1<<20 - 1, sec: -62135596800},
		{name: "b", kind: 4, major: 1 << 21, minor: 1<<32 - 1},
		{name: "ünï", kind: 1, attr: "a=b%\n", value: []byte("=\x00\n\xff")},
		{name: "e", attr: "\xff%3D", mode: 0o7777}, {name: "p", kind: 5, mode: 0o4640},
		{name: "earliest", sec: math.MinInt64}, {name: "latest", sec: math.MaxInt64},
	}
}

func checkReadByGo(t *testing.T, e *export.Entry, data []byte) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(data))
	var h *tar.Header
	var err error
	for range strings.Count(e.Path, "/") + 1 {
		if h, err = r.Next(); err != nil {
			t.Fatalf("%.200q: %v", e.Path, err)
		}
	}
	name := e.Path
	if e.Type == export.Directory {
		name += "/"
	}
	flag := map[export.Type]byte{
		export.Regular: tar.TypeReg, export.Directory: tar.TypeDir, export.Symlink: tar.TypeSymlink,
		export.CharDevice: tar.TypeChar, export.BlockDevice: tar.TypeBlock, export.FIFO: tar.TypeFifo,
	}[e.Type]
	got := fmt.Sprintf("%q %q %c %o %d:%d %d,%d %d bytes", h.Name, h.Linkname, h.Typeflag, h.Mode, h.Uid, h.Gid, h.Devmajor, h.Devminor, h.Size)
	want := fmt.Sprintf("%q %q %c %o %d:%d %d,%d %d bytes", name, e.Target, flag, e.Mode, e.UID, e.GID, e.RdevMajor, e.RdevMinor, e.Size)
	if got != want || !h.ModTime.Equal(e.MTime) {
		t.Errorf("read back\n%s at %d.%09d\nwant\n%s at %d.%09d", got, h.ModTime.Unix(), h.ModTime.Nanosecond(), want, e.MTime.Unix(), e.MTime.Nanosecond())
	}
	checkAttrs(t, e, h)
	body, err := io.ReadAll(r)
	if err != nil || int64(len(body)) != e.Size {
		t.Errorf("%d bytes are read, %v, want %d", len(body), err, e.Size)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the entry: %v", err)
	}
}

func checkAttrs(t *testing.T, e *export.Entry, h *tar.Header) {
	t.Helper()
	got := map[string]string{}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			got[strings.NewReplacer("%3D", "=", "%25", "%").Replace(name)] = value
		}
	}
	var want []export.Xattr
	if e.Xattrs != nil {
		var err error
		if want, err = e.Xattrs(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("the attributes %q are read back, want %q", got, want)
	}
	for _, x := range want {
		if value, ok := got[x.Name]; !ok || value != string(x.Value) {
			t.Errorf("the attributes %q are read back, want %q", got, want)
		}
	}
}

// FuzzFilter compares the filter, which skips directories and looks at patterns
// one by one, with the library's verdict over the whole list, name by name.
func FuzzFilter(f *testing.F) {
	f.Add("usr\n!usr/bin\nusr/bin/a*", "usr/bin/ab\nusr/bin/x\nusr/lib/y")
	f.Add("**/a\n!*/a\n/b", "a\nb/a\nb/c/a")
	f.Add("*\n!a/b", "a/b/c\na/d\ne")
	f.Add("[a-c]/**/d?\n!\\!x\n!!x", "b/c/d1\n!x\na/b")
	f.Fuzz(func(t *testing.T, patterns, names string) {
		exclude := strings.Split(patterns, "\n")
		tree, files := treeOfNames(strings.Split(names, "\n"))
		filter, err := export.NewFilter(tree, export.Rules{Exclude: exclude})
		if err != nil {
			return
		}
		matcher, err := patternmatcher.New(asWritten(exclude))
		if err != nil {
			t.Fatalf("%q is taken, and the library says %v", exclude, err)
		}
		kept := map[string]bool{}
		err = exporttest.Validate(filter).Walk(t.Context(), func(e *export.Entry) error {
			kept[e.Path] = true
			return nil
		})
		if err != nil {
			t.Fatalf("%q over %q: %v", exclude, files, err)
		}
		for _, name := range files {
			excluded, err := matcher.MatchesOrParentMatches(name)
			if err != nil {
				t.Fatal(err)
			}
			if kept[name] == excluded {
				t.Errorf("%q: %q is kept: %t, the library excludes it: %t", exclude, name, kept[name], excluded)
			}
			if _, err := filter.Lookup(t.Context(), name); (err == nil) != kept[name] {
				t.Errorf("%q: %q is kept: %t, looked up: %v", exclude, name, kept[name], err)
			}
		}
	})
}

// asWritten gives the patterns as the library wants them: clean, and without
// the slash that may stand in front.
func asWritten(patterns []string) []string {
	var all []string
	for _, p := range patterns {
		p, negated := strings.CutPrefix(strings.TrimSpace(p), "!")
		p = path.Clean(strings.TrimLeft(strings.TrimSpace(p), "/"))
		if p[0] == '!' {
			p = `\` + p
		}
		if negated {
			p = "!" + p
		}
		all = append(all, p)
	}
	return all
}

// treeOfNames has a file for each name that is free, and the directories above.
func treeOfNames(names []string) (tree *exporttest.MemTree, files []string) {
	const most = 20
	entries := map[string]*export.Entry{}
	for _, name := range names[:min(len(names), most)] {
		name = strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, "\x00", "")), "/")
		if name == "" || entries[name] != nil || !free(entries, name) {
			continue
		}
		entries[name] = exporttest.File(name, "")
		files = append(files, name)
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			entries[dir] = exporttest.Dir(dir)
		}
	}
	all := make([]*export.Entry, 0, len(entries))
	for _, e := range entries {
		all = append(all, e)
	}
	return exporttest.New(all...), files
}

// free says whether no file stands above the name.
func free(entries map[string]*export.Entry, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if e := entries[dir]; e != nil && e.Type != export.Directory {
			return false
		}
	}
	return true
}
