package export_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

func madeFile(path, text string) export.Made {
	return export.Made{Path: path, Type: export.Regular, Mode: 0o644, Content: []byte(text)}
}

func madeDir(path string) export.Made {
	return export.Made{Path: path, Type: export.Directory, Mode: 0o755, IfMissing: true}
}

func list(t *testing.T, tree export.Tree) (lines []string, bodies map[string]string) {
	t.Helper()
	var s exporttest.Recorder
	if _, err := export.Write(t.Context(), exporttest.Validate(tree), &s); err != nil {
		t.Fatal(err)
	}
	return s.Lines, s.Bodies
}

func TestInsert(t *testing.T) {
	dir, file, link := exporttest.Dir, exporttest.File, exporttest.Link
	for _, c := range []struct {
		name string
		tree []*export.Entry
		made []export.Made
		want string
	}{
		{"into nothing", nil, []export.Made{madeFile("a/b/c", "x"), madeFile("a/d", "y")},
			`d a|d a/b|- a/b/c|- a/d`},
		{"in the middle", []*export.Entry{dir("a"), file("a/b", ""), file("a/d", ""), file("z", "")},
			[]export.Made{madeFile("a/c", "x")}, `d a|- a/b|- a/c|- a/d|- z`},
		{"replace a file", []*export.Entry{dir("etc"), file("etc/hosts", "old"), file("etc/x", "")},
			[]export.Made{madeFile("/etc/hosts", "new")}, `d etc|- etc/hosts|- etc/x`},
		{"replace a symlink", []*export.Entry{dir("etc"), link("etc/hosts", "../run/hosts")},
			[]export.Made{madeFile("etc/hosts", "new")}, `d etc|- etc/hosts`},
		{"replace a directory", []*export.Entry{dir("etc"), dir("etc/hosts"), file("etc/hosts/x", ""), file("etc/i", "")},
			[]export.Made{madeFile("etc/hosts", "new")}, `d etc|- etc/hosts|- etc/i`},
		{"through a symlink", []*export.Entry{link("etc", "usr/etc"), dir("usr"), dir("usr/etc"), file("usr/etc/hosts", "old")},
			[]export.Made{madeFile("etc/hosts", "new")}, `l etc|d usr|d usr/etc|- usr/etc/hosts`},
		{"through a dangling symlink", []*export.Entry{link("etc", "/usr/etc"), file("zz", "")},
			[]export.Made{madeFile("etc/hosts", "new")}, `l etc|d usr|d usr/etc|- usr/etc/hosts|- zz`},
		{"the later of two", nil, []export.Made{madeFile("a", "old"), madeFile("a", "new")}, `- a`},
		{"mount points", []*export.Entry{dir("dev"), link("run", "var/run"), dir("var")},
			[]export.Made{madeDir("dev"), madeDir("dev/pts"), madeDir("run/lock"), madeDir("/")},
			`d dev|d dev/pts|l run|d var|d var/run|d var/run/lock`},
	} {
		lines, bodies := list(t, export.Insert(exporttest.New(c.tree...), c.made))
		for i, line := range lines {
			kind, path, _ := strings.Cut(line, ` "`)
			path, _, _ = strings.Cut(path, `"`)
			lines[i] = kind[:1] + " " + path
		}
		if got := strings.Join(lines, "|"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		for path, body := range bodies {
			if body == "old" {
				t.Errorf("%s: %q has its old content", c.name, path)
			}
		}
	}
}

func TestInsertRefuses(t *testing.T) {
	tree := exporttest.New(exporttest.File("etc", "x"), exporttest.Link("loop", "loop"), exporttest.Dir("d"), exporttest.Link("l", "d"))
	for _, c := range []struct {
		made []export.Made
		want string
	}{
		{[]export.Made{madeFile("etc/hosts", "x")}, `making "etc/hosts": "etc" is a regular file, not a directory`},
		{[]export.Made{madeFile("loop/hosts", "x")}, `making "loop/hosts": resolving "loop/hosts": too many`},
		{[]export.Made{madeDir("etc")}, `making "etc": "etc" is a regular file, not a directory`},
		{[]export.Made{{Path: "l", For: "a mount", Type: export.Directory, IfMissing: true, NoSymlink: true}}, `making "l" for a mount: "l" is a symlink, not a directory`},
		{[]export.Made{{Path: "d", Type: export.Regular, IfMissing: true}}, `making "d": "d" is a directory, not a regular file`},
		{[]export.Made{madeFile("new", "x"), madeFile("new/x", "x")}, `"new" is a regular file, not a directory`},
		{[]export.Made{madeFile("/", "x")}, `making "/": that is the root itself`},
	} {
		_, err := exporttest.List(t.Context(), export.Insert(tree, c.made))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.made[0].Path, err, c.want)
		}
	}
}

// A directory that a filter might show, but does not, still has to be there when
// it is a mount point.
func TestInsertEnsuresWhatTheFilterHides(t *testing.T) {
	tree := exporttest.New(exporttest.Dir("lib"), exporttest.File("lib/a.so", ""), exporttest.Dir("proc"), exporttest.File("proc/x", ""))
	f, err := export.NewFilter(tree, export.Rules{Include: []string{"**/*.so"}})
	if err != nil {
		t.Fatal(err)
	}
	got := paths(t, export.Insert(f, []export.Made{madeDir("proc"), madeDir("lib"), madeFile("lib/0", "x")}))
	if want := []string{"lib", "lib/0", "lib/a.so", "proc"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReplacedFirstNameOfALink(t *testing.T) {
	tree := exporttest.New(
		exporttest.HardLinked(exporttest.File("a", "linked"), 1, 2),
		exporttest.HardLinked(exporttest.File("b", "linked"), 1, 2),
		exporttest.HardLinked(exporttest.File("c", "linked"), 1, 2),
		exporttest.HardLinked(exporttest.File("d", "other"), 2, 2),
	)
	inserted := export.Insert(tree, []export.Made{madeFile("a", "new")})
	prefixed, err := export.Prefix(inserted, "p", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	lines, bodies := list(t, prefixed)
	want := []string{
		`d 0755 0:0 "p"`, `- 0644 0:0 "p/a" 3 bytes`, `- 0644 0:0 "p/b" 6 bytes`,
		`- 0644 0:0 "p/c" link to "p/b"`, `- 0644 0:0 "p/d" 5 bytes`,
	}
	if !slices.Equal(lines, want) || bodies["p/b"] != "linked" || bodies["p/a"] != "new" {
		t.Errorf("got %s\nbodies %q", strings.Join(lines, "\n"), bodies)
	}
}
