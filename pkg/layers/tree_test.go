package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

func TestLookup(t *testing.T) {
	tree, err := openImage(t, Options{}, layer{dir(".", 0o700).own(1, 2).xattr("user.root", "r").xattr(aclDefault, ""), dir("d", 0o711), file("d/f", "x"), symlink("s", "d")}.tar())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{".", `d0700 "." 1:2 {"user.root"="r"}`}, {"d", `d0711 "d"`}, {"d/f", `f0644 "d/f" "x"`}, {"s", `l0777 "s" -> "d"`},
		{"s/f", ""}, {"d/f/g", ""}, {"x", ""}, {"d/x/y", ""},
	} {
		e, err := tree.Lookup(t.Context(), c.path)
		if c.want == "" {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("looking up %q: got %v, %v", c.path, e, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("looking up %q: %v", c.path, err)
			continue
		}
		if got, err := describe(t.Context(), e); err != nil || got != c.want {
			t.Errorf("looking up %q: got %s, %v", c.path, got, err)
		}
	}
	if data, err := export.ReadFile(t.Context(), tree, "s/f", 10); err != nil || string(data) != "x" {
		t.Errorf("reading through a symlink: %q, %v", data, err)
	}
}

func TestImpliedRoot(t *testing.T) {
	tree, err := Open(t.Context(), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, tree)
	e, err := tree.Lookup(t.Context(), ".")
	if err != nil || e.Mode != 0o755 || e.UID != 0 || !e.MTime.Equal(time.Unix(0, 0)) {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestWalkStops(t *testing.T) {
	tree, err := openImage(t, Options{}, layer{dir("a", 0o755), file("a/b", ""), file("c", ""), file("d", "")}.tar())
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	for _, c := range []struct {
		name string
		give map[string]error
		want string
		err  error
	}{
		{"nothing", nil, "a a/b c d", nil},
		{"skipping a directory", map[string]error{"a": fs.SkipDir}, "a c d", nil},
		{"an error", map[string]error{"a/b": stop}, "a a/b", stop},
		{"skipping at a file", map[string]error{"c": fs.SkipDir}, "a a/b c", fs.SkipDir},
	} {
		var seen []string
		err := tree.Walk(t.Context(), func(e *export.Entry) error {
			seen = append(seen, e.Path)
			return c.give[e.Path]
		})
		if got := strings.Join(seen, " "); got != c.want || err != c.err {
			t.Errorf("%s: visited %q, error %v", c.name, got, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if err := tree.Walk(ctx, func(*export.Entry) error { return nil }); err != stop {
		t.Errorf("cancelled: error %v", err)
	}
}

// TestBodiesSideBySide reads bodies of several spool chunks from many goroutines.
func TestBodiesSideBySide(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	var layers []layer
	want := map[string]string{}
	for n := range 3 {
		var l layer
		for i := range 20 {
			data := make([]byte, 1+i*50_000)
			if _, err := random.Read(data); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%d-%02d", n, i)
			want[name] = string(data)
			l = append(l, file(name, string(data)))
		}
		layers = append(layers, l)
	}
	tree, err := openImage(t, Options{}, tarsOf(layers)...)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	err = tree.Walk(t.Context(), func(e *export.Entry) error {
		wg.Go(func() {
			body, err := e.Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer body.Close()
			if data, err := io.ReadAll(body); err != nil || string(data) != want[e.Path] {
				t.Errorf("%q: %d bytes, not those of the layer: %v", e.Path, len(data), err)
			}
		})
		return nil
	})
	wg.Wait()
	if err != nil {
		t.Error(err)
	}
	if r := tree.Report(); r.Headers != 60 || r.Spooled == 0 || r.Inflated <= r.Spooled || r.Xattrs != 0 {
		t.Errorf("got the report %+v", r)
	}
}

// TestLeftOutXattrs counts what no Linux filesystem takes, also where only the
// merge knows of what it is.
func TestLeftOutXattrs(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers []layer
		want   int64
	}{
		{"none", []layer{{file("f", "").xattr("user.a", "1")}}, 0},
		{"of a symlink", []layer{{symlink("s", "f").xattr("user.a", "1").xattr("none.b", "1")}}, 2},
		{"of a link to a lower symlink", []layer{{symlink("s", "f")}, {link("l", "s").xattr("user.a", "1")}}, 1},
		{"of libarchive's", []layer{{file("f", "").pax("LIBARCHIVE.xattr.user.a", "MQ=="), dir("d", 0o755).pax("LIBARCHIVE.xattr.user.b", "")}}, 2},
		{"of libarchive's, said twice", []layer{{file("f", "").xattr("user.ä %", "1").pax("LIBARCHIVE.xattr.user.%C3%A4%20%25", "MQ==").pax("LIBARCHIVE.xattr.%zz", "")}}, 1},
		{"ACLs in words", []layer{{dir("d", 0o755).pax("SCHILY.acl.access", "user::rwx").pax("SCHILY.acl.default", "user::rwx").pax("SCHILY.acl.ace", "owner@:r:allow")}}, 3},
		{"ACLs in words and not", []layer{{dir("d", 0o755).pax("SCHILY.acl.access", "user::rwx").xattr(aclAccess, "\x02\x00\x00\x00").pax("SCHILY.acl.default", "")}}, 1},
		{"SELinux's labels", []layer{{file("f", "").pax("RHT.security.selinux", "a:b:c"), file("g", "").pax("RHT.security.selinux", "a").xattr("security.selinux", "a")}}, 1},
		{"records of other things", []layer{{file("f", "").pax("SCHILY.fflags", "nodump").pax("LIBARCHIVE.creationtime", "1").pax("SCHILY.ino", "1").pax("RHT.x", "1").pax("comment", "c")}}, 0},
		{"of a link, and of what is replaced", []layer{{file("f", "").pax("LIBARCHIVE.xattr.user.a", "")}, {file("f", ""), link("l", "f").pax("SCHILY.acl.access", "")}}, 2},
		{"of a link to a lower file", []layer{{file("f", "")}, {link("l", "f").xattr("user.a", "1")}}, 0},
	} {
		tree, err := openImage(t, Options{}, tarsOf(c.layers)...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := tree.Report().Xattrs; got != c.want {
			t.Errorf("%s: %d xattrs are left out, want %d", c.name, got, c.want)
		}
	}
}

func TestReadingAfterClose(t *testing.T) {
	var s store
	content := layer{file("f", "x")}.tar()
	dir := t.TempDir()
	tree, err := Open(t.Context(), []Layer{s.layer(content, gzipped(content))}, Options{SpoolDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("the spool has names: %v, %v", names, err)
	}
	e, err := tree.Lookup(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	body, err := e.Open(t.Context())
	if err == nil {
		_, err = io.ReadAll(body)
	}
	if err == nil || !strings.Contains(err.Error(), `reading "f": `) {
		t.Errorf("reading after Close: %v", err)
	}
}

// TestManyLayers: descriptors do not grow with the layers.
func TestManyLayers(t *testing.T) {
	var tars [][]byte
	for i := range 120 {
		tars = append(tars, layer{file("last", fmt.Sprint(i)), file(fmt.Sprintf("own%03d", i), "x"), file(fmt.Sprintf(".wh.own%03d", i-2), "")}.tar())
	}
	var s store
	tree, err := Open(t.Context(), s.image(tars...), Options{SpoolDir: t.TempDir(), Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if s.open != maxInPlace {
		t.Errorf("%d blobs are open, want the %d largest of those in place", s.open, maxInPlace)
	}
	want := lines(`f0644 "last" "119"`, `f0644 "own118" "x"`, `f0644 "own119" "x"`)
	if got := list(t, tree); got != want {
		t.Errorf("wrong tree:\n%s", differences(got, want))
	}
	if err := tree.Close(); err != nil || s.open != 0 {
		t.Errorf("closing: %v, %d blobs are open", err, s.open)
	}
}
