package export_test

import (
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

func TestPrefix(t *testing.T) {
	mtime := time.Unix(7, 0)
	tree, err := export.Prefix(exporttest.New(exporttest.Dir("x"), exporttest.File("x/y", "1")), "a/b/", mtime)
	if err != nil {
		t.Fatal(err)
	}
	got := paths(t, tree)
	if want := []string{"a", "a/b", "a/b/x", "a/b/x/y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, path := range append(got, ".") {
		if e, err := tree.Lookup(t.Context(), path); err != nil || e.Path != path {
			t.Errorf("Lookup(%q) = %v, %v", path, e, err)
		}
	}
	if _, err := tree.Lookup(t.Context(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lookup outside: %v", err)
	}
	for _, dir := range []string{"", "/", "/a", "a//b", "a/../b", "..", ".", "./a", "a//", "a\x00"} {
		if err := export.CheckPrefix(dir); err == nil {
			t.Errorf("prefix %q is taken", dir)
		}
	}
}

func TestBundle(t *testing.T) {
	for name, want := range map[string]string{
		"":     `- 0644 0:0 "config.json" 2 bytes|d 0755 0:0 "rootfs"|d 0755 0:0 "rootfs/a"`,
		"app/": `d 0755 0:0 "app"|- 0644 0:0 "app/config.json" 2 bytes|d 0755 0:0 "app/rootfs"|d 0755 0:0 "app/rootfs/a"`,
	} {
		tree, err := export.Bundle(exporttest.New(exporttest.Dir("a")), []byte("{}"), name, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		lines, _ := list(t, tree)
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("bundle %q: got %s, want %s", name, got, want)
		}
	}
}

func TestClamp(t *testing.T) {
	for _, c := range []struct{ in, want time.Time }{
		{time.Unix(50, 999), time.Unix(50, 0)},
		{time.Unix(-2, 1), time.Unix(-2, 0)},
		{time.Unix(101, 0), time.Unix(100, 0)},
		{time.Unix(100, 5), time.Unix(100, 0)},
		{time.Unix(math.MaxInt64, 5), time.Unix(100, 0)},
		{time.Unix(math.MinInt64, 5), time.Unix(math.MinInt64, 0)},
	} {
		e := exporttest.Dir("a")
		e.MTime = c.in
		tree := export.Clamp(exporttest.New(e), time.Unix(100, 7))
		got, err := tree.Lookup(t.Context(), "a")
		if err != nil || !got.MTime.Equal(c.want) {
			t.Errorf("clamped %v to %v, %v; want %v", c.in, got.MTime, err, c.want)
		}
		if !e.MTime.Equal(c.in) {
			t.Errorf("the entry below was changed")
		}
	}
}

// A directory's time says when it was unpacked, or not, so it is given up; a
// file's is the image's and kept.
func TestReproducibleTimes(t *testing.T) {
	old, limit := time.Unix(50, 9), time.Unix(100, 7)
	dir, file := exporttest.Dir("d"), exporttest.File("f", "")
	dir.MTime, file.MTime = old, old
	tree := export.Reproducible(exporttest.New(dir, file), limit)
	for path, want := range map[string]time.Time{"d": time.Unix(100, 0), "f": time.Unix(50, 0)} {
		if e, err := tree.Lookup(t.Context(), path); err != nil || !e.MTime.Equal(want) {
			t.Errorf("Lookup(%q): time %v, %v; want %v", path, e.MTime, err, want)
		}
	}
	err := tree.Walk(t.Context(), func(e *export.Entry) error {
		if want := map[string]int64{"d": 100, "f": 50}[e.Path]; !e.MTime.Equal(time.Unix(want, 0)) {
			t.Errorf("Walk: %q has the time %v, want %d", e.Path, e.MTime, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if !dir.MTime.Equal(old) {
		t.Error("the entry below was changed")
	}
}

func TestXattrPolicy(t *testing.T) {
	names := []string{"security.capability", "security.evm", "security.ima", "security.selinux",
		"trusted.overlay.opaque", "trusted.x", "user.overlay.redirect", "user.overlayed", "user.x"}
	var attrs []export.Xattr
	for _, name := range names {
		attrs = append(attrs, export.Xattr{Name: name})
	}
	for policy, want := range map[string]string{
		"default": `security.capability="" trusted.x="" user.overlayed="" user.x=""`,
		"all":     strings.Join(names, `="" `) + `=""`,
		"none":    "",
	} {
		p, err := export.ParseXattrPolicy(policy)
		if err != nil {
			t.Fatal(err)
		}
		tree := exporttest.New(exporttest.WithXattrs(exporttest.Dir("a"), attrs...))
		filtered := export.Xattrs(tree, p)
		lines, _ := list(t, filtered)
		if got := strings.TrimSpace(strings.TrimPrefix(lines[0], `d 0755 0:0 "a"`)); got != want {
			t.Errorf("policy %s: got %s, want %s", policy, got, want)
		}
		if got, want := filtered.LeftOut(), map[string]int64{"default": 5}[policy]; got != want {
			t.Errorf("policy %s: %d are counted as left out, want %d", policy, got, want)
		}
	}
	if _, err := export.ParseXattrPolicy("some"); err == nil {
		t.Error("the policy some is taken")
	}
}

func TestMoby(t *testing.T) {
	tree := exporttest.New(
		exporttest.File(".dockerenv", ""), exporttest.File("Dockerfile", ""), exporttest.Dir("dev"),
		exporttest.Node("dev/console", export.CharDevice), exporttest.Dir("dev/pts"), exporttest.Node("dev/pts/0", export.CharDevice),
		exporttest.File("dev/shm", ""), exporttest.File("dev/shm2", ""), exporttest.Dir("src"), exporttest.File("src/Dockerfile", ""),
	)
	p := export.Moby(time.Unix(0, 0))
	omission := export.Omit(tree, p.Omit)
	lines, bodies := list(t, export.Insert(omission, p.Files))
	want := `d 0755 0:0 "dev"|- 0644 0:0 "dev/shm2" 0 bytes|d 0755 0:0 "etc"|- 0644 0:0 "etc/hostname" 4 bytes|` +
		`- 0644 0:0 "etc/hosts" 150 bytes|- 0644 0:0 "etc/resolv.conf" 102 bytes|d 0755 0:0 "src"|- 0644 0:0 "src/Dockerfile" 0 bytes`
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if bodies["etc/hostname"] != "moby" || strings.Count(bodies["etc/hosts"], "\n") != 6 || strings.Count(bodies["etc/resolv.conf"], "\n") != 4 {
		t.Errorf("texts: %q", bodies)
	}
	if got := strings.Join(omission.Omitted(), " "); got != ".dockerenv Dockerfile dev/console dev/pts dev/shm" {
		t.Errorf("omitted: %s", got)
	}
	kept := p.Without([]string{"/etc/hosts", "dev/pts/", "Dockerfile"})
	if got := strings.Join(kept.Omit, " "); got != ".dockerenv dev/console dev/shm" || len(kept.Files) != 2 {
		t.Errorf("without: %s, %d files", got, len(kept.Files))
	}
}
