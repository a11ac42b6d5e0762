package layers

import (
	"strings"
	"testing"
)

// lines joins a listing written as a table's rows.
func lines(rows ...string) string {
	if len(rows) == 0 {
		return ""
	}
	return strings.Join(rows, "\n") + "\n"
}

// TestMerge is image-spec's layer.md, rule by rule, and what containerd makes of
// what it leaves open.
func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers []layer
		want   string
	}{
		{"no layer", nil, ""},
		{"an empty layer", []layer{{}}, ""},
		{
			"added and replaced files",
			[]layer{{file("a", "old"), file("b", "kept")}, {file("a", "new").own(1, 2), file("c", "added")}},
			lines(`f0644 "a" 1:2 "new"`, `f0644 "b" "kept"`, `f0644 "c" "added"`),
		},
		{
			"a whiteout of a file, and of a directory with its tree",
			[]layer{{file("a", "1"), dir("d", 0o755), file("d/x", "2"), dir("e", 0o755)}, {file(".wh.a", ""), file(".wh.d", "")}},
			lines(`d0755 "e"`),
		},
		{
			"a whiteout of nothing there",
			[]layer{{file("a", "1")}, {file(".wh.b", ""), file("x/.wh.y", "")}},
			lines(`f0644 "a" "1"`, `d0755 "x" implied`),
		},
		{
			"a whiteout hides only lower layers, after its sibling",
			[]layer{{file("a", "old"), dir("d", 0o700), file("d/old", "1")}, {file("a", "new"), file(".wh.a", ""), dir("d", 0o755), file("d/new", "2"), file(".wh.d", "")}},
			lines(`f0644 "a" "new"`, `d0755 "d"`, `f0644 "d/new" "2"`),
		},
		{
			"a whiteout hides only lower layers, before its sibling",
			[]layer{{file("a", "old"), dir("d", 0o700), file("d/old", "1")}, {file(".wh.a", ""), file("a", "new"), file(".wh.d", ""), dir("d", 0o755), file("d/new", "2")}},
			lines(`f0644 "a" "new"`, `d0755 "d"`, `f0644 "d/new" "2"`),
		},
		{
			"a name that a whiteout took comes back later",
			[]layer{{dir("d", 0o700), file("d/old", "1")}, {file(".wh.d", "")}, {file("d/new", "2")}},
			lines(`d0755 "d" implied`, `f0644 "d/new" "2"`),
		},
		{
			"an opaque mark before and after what its layer adds",
			[]layer{
				{dir("a", 0o755), file("a/old", "1"), dir("a/d", 0o700), file("a/d/old", "1"), dir("b", 0o755), file("b/old", "1")},
				{opaque("a"), dir("a", 0o755), dir("a/d", 0o711), file("a/d/new", "2"), dir("b", 0o755), file("b/new", "2"), opaque("b")},
			},
			lines(`d0755 "a"`, `d0711 "a/d"`, `f0644 "a/d/new" "2"`, `d0755 "b"`, `f0644 "b/new" "2"`),
		},
		{
			"an opaque root",
			[]layer{{file("a", "1"), dir("d", 0o755)}, {file(".wh..wh..opq", ""), file("b", "2")}},
			lines(`f0644 "b" "2"`),
		},
		{
			"an opaque mark alone keeps a directory's attributes and time",
			[]layer{{dir("d", 0o711).own(3, 4).at(5, 6), file("d/a", "1")}, {opaque("d")}},
			lines(`d0711 "d" 3:4 @5.000000006`),
		},
		{
			"names of AUFS's own say nothing",
			[]layer{{file("a", "1")}, {file(".wh..wh.aufs", ""), dir(".wh..wh.plnk", 0o700), file(".wh..wh.plnk/1.2", "x"), file(".wh..wh.a", "")}},
			lines(`f0644 "a" "1"`),
		},
		{
			"a file over a directory over a file",
			[]layer{{dir("a", 0o755), file("a/x", "1")}, {file("a", "2")}, {dir("a", 0o700), file("a/y", "3")}},
			lines(`d0700 "a"`, `f0644 "a/y" "3"`),
		},
		{
			"a symlink over a directory, a directory over a symlink",
			[]layer{{dir("a", 0o755), file("a/x", "1"), symlink("b", "a")}, {symlink("a", "b"), dir("b", 0o700)}},
			lines(`l0777 "a" -> "b"`, `d0700 "b"`),
		},
		{
			"a directory named again has the later attributes, and no older xattrs",
			[]layer{{dir("d", 0o700).own(1, 1).xattr("user.old", "1"), file("d/a", "1")}, {dir("d", 0o2755).own(2, 3).at(7, 0).xattr("user.new", "2")}},
			lines(`d2755 "d" 2:3 @7.000000000 {"user.new"="2"}`, `f0644 "d/a" "1"`),
		},
		{
			"directories that no layer names",
			[]layer{{file("a/b/c", "1")}},
			lines(`d0755 "a" implied`, `d0755 "a/b" implied`, `f0644 "a/b/c" "1"`),
		},
		{
			"a directory that a layer changes without naming it",
			[]layer{{dir("d", 0o1770).own(1, 2).xattr("user.x", "1"), file("d/a", "1")}, {file("d/b", "2")}},
			lines(`d1770 "d" 1:2 implied {"user.x"="1"}`, `f0644 "d/a" "1"`, `f0644 "d/b" "2"`),
		},
		{
			"a path mentions a directory before its layer names it: xattrs of both",
			[]layer{{dir("d", 0o700).xattr("user.a", "1").xattr("user.b", "1")}, {file("d/f", ""), dir("d", 0o755).xattr("user.b", "2")}},
			lines(`d0755 "d" {"user.a"="1"} {"user.b"="2"}`, `f0644 "d/f"`),
		},
		{
			"a directory made in a setgid one without a name of its own",
			[]layer{{dir("s", 0o2755).own(0, 50), file("s/d/f", "")}},
			lines(`d2755 "s" 0:50`, `d0755 "s/d" 0:50 implied`, `f0644 "s/d/f"`),
		},
		{
			"names are brought inside the root",
			[]layer{{file("./a", "1"), file("/b", "2"), file("x//c", "3"), file("../../d", "4"), file("x/y/../../e", "5"), file("x/./f", "6")}},
			lines(`f0644 "a" "1"`, `f0644 "b" "2"`, `f0644 "d" "4"`, `f0644 "e" "5"`, `d0755 "x" implied`, `f0644 "x/c" "3"`, `f0644 "x/f" "6"`),
		},
		{
			"the root has no entry",
			[]layer{{dir(".", 0o700), dir("/", 0o711), file("a", "")}},
			lines(`f0644 "a"`),
		},
		{
			"a symlink of the same layer is followed",
			[]layer{{symlink("lib", "usr/lib"), file("lib/a", "1"), symlink("abs", "/../usr"), file("abs/lib/b", "2")}},
			lines(`l0777 "abs" -> "/../usr"`, `l0777 "lib" -> "usr/lib"`, `d0755 "usr" implied`, `d0755 "usr/lib" implied`, `f0644 "usr/lib/a" "1"`, `f0644 "usr/lib/b" "2"`),
		},
		{
			"a symlink of a lower layer becomes a directory like the one it leads to",
			[]layer{{dir("usr", 0o755), dir("usr/lib", 0o711).own(1, 2), symlink("lib", "usr/lib")}, {file("lib/a", "1")}},
			lines(`d0711 "lib" 1:2 implied`, `f0644 "lib/a" "1"`, `d0755 "usr"`, `d0711 "usr/lib" 1:2`),
		},
		{
			"a name repeated in a layer: the last wins",
			[]layer{{dir("d", 0o755), file("d/x", "old"), file("a", "1"), file("a", "2").own(3, 3), file("b", "1"), dir("b", 0o700), symlink("c", "a"), file("c", "3")}},
			lines(`f0644 "a" 3:3 "2"`, `d0700 "b"`, `f0644 "c" "3"`, `d0755 "d"`, `f0644 "d/x" "old"`),
		},
		{
			"smuggled overlayfs marks hide nothing",
			[]layer{{dir("d", 0o755), file("d/a", "1")}, {dir("d", 0o755).xattr("trusted.overlay.opaque", "y").xattr("user.overlay.opaque", "y"), device("d/b", 0, 0)}},
			lines(`d0755 "d" {"trusted.overlay.opaque"="y"} {"user.overlay.opaque"="y"}`, `f0644 "d/a" "1"`, `c0600 "d/b" 0,0`),
		},
		{
			"siblings by bytes, depth first",
			[]layer{{file("a-b", ""), dir("a", 0o755), file("a/b", ""), file("\xff", ""), file("a.b", "")}},
			lines(`d0755 "a"`, `f0644 "a/b"`, `f0644 "a-b"`, `f0644 "a.b"`, `f0644 "\xff"`),
		},
		{
			"xattrs that Linux cannot hold",
			[]layer{{file("f", "").xattr("com.apple.quarantine", "q").xattr("user.ok", ""), symlink("l", "f").xattr("user.no", "1").xattr("security.yes", "2")}},
			lines(`f0644 "f" {"user.ok"=""}`, `l0777 "l" {"security.yes"="2"} -> "f"`),
		},
		{
			"xattr names are literal, values any bytes",
			[]layer{{file("f", "").xattr("user.a%3Db", "\x00\xff=\n")}},
			lines(`f0644 "f" {"user.a%3Db"="\x00\xff=\n"}`),
		},
		{
			"times",
			[]layer{{file("a", "").at(-2, 500_000_000), file("b", "").at(1<<34, 999_999_999), file("c", "").at(0, 1)}},
			lines(`f0644 "a" @-2.500000000`, `f0644 "b" @17179869184.999999999`, `f0644 "c" @0.000000001`),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustList(t, c.layers...); got != c.want {
				t.Errorf("wrong tree:\n%s", differences(got, c.want))
			}
		})
	}
}

func TestHardLinks(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers []layer
		want   string
	}{
		{
			"of every kind",
			[]layer{{file("f", "1"), link("g", "f"), fifo("p"), link("q", "p"), device("c", 1, 3), link("d", "c"), symlink("l", "f"), link("m", "l")}},
			lines(`c0644 "c" 1,3`, `c0644 "d" 1,3 => c`, `f0644 "f" "1"`, `f0644 "g" "1" => f`, `l0777 "l" -> "f"`, `l0777 "m" -> "f" => l`, `p0644 "p"`, `p0644 "q" => p`),
		},
		{
			"the link's attributes become the file's",
			[]layer{{file("f", "1").own(1, 1).xattr("user.a", "1").xattr("security.capability", "c"), link("g", "f").own(2, 2).at(9, 0).xattr("user.a", "2")}},
			lines(`f0644 "f" 2:2 @9.000000000 {"security.capability"="c"} {"user.a"="2"} "1"`, `f0644 "g" 2:2 @9.000000000 {"security.capability"="c"} {"user.a"="2"} "1" => f`),
		},
		{
			"the first name goes, the others stay",
			[]layer{{file("a", "1"), link("b", "a"), link("c", "a")}, {file(".wh.a", "")}},
			lines(`f0644 "b" "1"`, `f0644 "c" "1" => b`),
		},
		{
			"the only other name goes: no link is left",
			[]layer{{file("a", "1"), link("b", "a")}, {file(".wh.a", "")}},
			lines(`f0644 "b" "1"`),
		},
		{
			"a replaced name parts from its links",
			[]layer{{file("a", "1"), link("b", "a"), link("c", "b")}, {file("b", "2")}},
			lines(`f0644 "a" "1"`, `f0644 "b" "2"`, `f0644 "c" "1" => a`),
		},
		{
			"a name replaced in its own layer parts from its links",
			[]layer{{file("a", "1"), link("b", "a"), file("a", "2")}},
			lines(`f0644 "a" "2"`, `f0644 "b" "1"`),
		},
		{
			"to a lower layer",
			[]layer{{file("a", "1")}, {dir("d", 0o755), link("d/b", "./a"), link("d/c", "d/b")}},
			lines(`f0644 "a" "1"`, `d0755 "d"`, `f0644 "d/b" "1" => a`, `f0644 "d/c" "1" => a`),
		},
		{
			"to a lower layer's name that this layer takes away or replaces",
			[]layer{{file("a", "1"), file("b", "2")}, {file(".wh.a", ""), link("x", "a"), link("y", "b"), file("b", "3")}},
			lines(`f0644 "b" "3"`, `f0644 "x" "1"`, `f0644 "y" "2"`),
		},
		{
			"to a lower layer, through its symlink",
			[]layer{{dir("usr", 0o755), file("usr/f", "1"), symlink("s", "usr")}, {link("g", "s/f")}},
			lines(`f0644 "g" "1"`, `l0777 "s" -> "usr"`, `d0755 "usr"`, `f0644 "usr/f" "1" => g`),
		},
		{
			"before its target, twice over",
			[]layer{{link("a", "b"), link("b", "c"), file("c", "1")}},
			lines(`f0644 "a" "1"`, `f0644 "b" "1" => a`, `f0644 "c" "1" => a`),
		},
		{
			"over an older object of its name",
			[]layer{{dir("a", 0o755), file("a/x", ""), file("f", "1")}, {link("a", "f")}},
			lines(`f0644 "a" "1"`, `f0644 "f" "1" => a`),
		},
		{
			"an escaping target is brought inside",
			[]layer{{dir("etc", 0o755), file("etc/passwd", "ours"), link("g", "../../etc/passwd")}},
			lines(`d0755 "etc"`, `f0644 "etc/passwd" "ours"`, `f0644 "g" "ours" => etc/passwd`),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustList(t, c.layers...); got != c.want {
				t.Errorf("wrong tree:\n%s", differences(got, c.want))
			}
		})
	}
}
