package layers

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
)

// mkfs makes the filesystems of testdata/erofs anew.
var mkfs = flag.String("layers.mkfs", "", "an mkfs.erofs of 1.8 or newer, by which to make the filesystems that tests lack in testdata/erofs")

const typeErofs = "application/vnd.erofs.layer.v1"

// converted gives a tar as containerd's converter makes a filesystem of it, out
// of testdata/erofs: Debian 12 has no mkfs.erofs that reads tars.
func converted(tb testing.TB, content []byte, options ...string) []byte {
	tb.Helper()
	key := digest.FromString(string(content) + strings.Join(options, " ")).Encoded()[:16]
	path := filepath.Join("testdata", "erofs", key+".gz")
	packed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *mkfs != "" {
		return runMkfs(tb, content, path, options)
	}
	if err != nil {
		tb.Fatalf("%v: go test -layers.mkfs=FILE makes it", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	image, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return image
}

// runMkfs calls mkfs.erofs as containerd 2.4.2 does, and keeps what it makes.
func runMkfs(tb testing.TB, content []byte, path string, options []string) []byte {
	tb.Helper()
	image := filepath.Join(tb.TempDir(), "image")
	args := append([]string{"--tar=f", "--aufs", "--quiet", "-Enoinline_data", "-b4096", "-U", "11111111-2222-3333-4444-555555555555"}, options...)
	cmd := exec.Command(*mkfs, append(args, image)...)
	cmd.Stdin = bytes.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadFile(image)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, gzipped(made), 0o644); err != nil {
		tb.Fatal(err)
	}
	return made
}

// filesystem is a layer of an EROFS filesystem, in place or by zstd.
func (s *store) filesystem(image []byte, zstd bool) Layer {
	l := s.layer(image, image)
	if zstd {
		l = s.layer(image, zstandard(image))
	}
	l.Descriptor.MediaType = typeErofs
	if zstd {
		l.Descriptor.MediaType += "+zstd"
	}
	l.InPlace = true
	return l
}

// mustOpen merges layers.
func (s *store) mustOpen(t *testing.T, layers []Layer, o Options) *Tree {
	t.Helper()
	o.SpoolDir, o.Workers, o.Implied = t.TempDir(), 1, impliedTime
	tree, err := Open(t.Context(), layers, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil || s.open != 0 {
			t.Errorf("closing: %v, %d blobs are open", err, s.open)
		}
	})
	return tree
}

// erofsImage has all that converting keeps.
var erofsImage = []layer{
	{
		dir("etc", 0o750).own(5, 70000), file("etc/passwd", "root:x:0:0\n").at(1, 999_999_999), file("etc/old", "old"), file("etc/empty", ""),
		file("usr/bin/sh", "#!"), link("usr/bin/bash", "usr/bin/sh"), symlink("lib", "usr/lib"), symlink("long", strings.Repeat("t", 4000)),
		dir("gone", 0o700), file("gone/x", "1"), dir("hidden", 0o1777), file("hidden/low", "2"), dir("hidden/dir", 0o755),
		dir("changed", 0o2755).own(1, 2).xattr("user.low", "1"), file("changed/a", "3").xattr("user.a", "\x00\xff"),
		file("large", strings.Repeat("0123456789", 2000)).xattr("security.capability", "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		device("null", 1, 3), device("block", 4000, 70000), file("-\xff\n", "odd"), file("1969", "").at(-2, 0),
		file("acl", "").xattr(aclAccess, "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff"),
	},
	{
		file("etc/.wh.old", ""), file("etc/new", "new"), file(".wh.gone", ""), opaque("hidden"), file("hidden/up", "4"),
		file("changed/b", "5"), file("a/b/c/d", "6"), file("a/.wh.none", ""), file("usr/bin/.wh.bash", ""), file("large", "7"),
		file(".wh..wh.aufs", ""), file("fifo", "a file now"),
	},
	{dir("usr", 0o711), file("a/b/e", "8"), dir("gone", 0o755), link("f", "a/b/e"), symlink("null", "fifo"), file("lib", "9")},
}

// TestFilesystems: whichever layers of an image are filesystems, it is what its
// tars are.
func TestFilesystems(t *testing.T) {
	want := mustList(t, erofsImage...)
	tars := tarsOf(erofsImage)
	for which := range 1 << len(tars) {
		for _, inPlace := range []bool{true, false} {
			var s store
			var layers []Layer
			var names []string
			for i, content := range tars {
				l, name := s.layer(content, gzipped(content)), "tar"
				if which&(1<<i) != 0 {
					zstd := (which+i)%2 == 0
					l, name = s.filesystem(converted(t, content), zstd), fmt.Sprintf("erofs zstd=%v", zstd)
				}
				l.InPlace = inPlace
				layers, names = append(layers, l), append(names, name)
			}
			t.Run(fmt.Sprintf("%s in place=%v", strings.Join(names, ", "), inPlace), func(t *testing.T) {
				tree := s.mustOpen(t, layers, Options{})
				if got := list(t, tree); got != want {
					t.Errorf("- filesystems, + tars:\n%s", differences(got, want))
				}
				if spooled := tree.Report().Spooled; (spooled == 0) != (inPlace && !strings.Contains(strings.Join(names, ""), "true") && !strings.Contains(strings.Join(names, ""), "tar")) {
					t.Errorf("%d bytes were spooled", spooled)
				}
			})
		}
	}
}

// TestLossesOfFilesystems is the closed list of what converting loses, case by
// case: each has to differ, and as it is written here.
func TestLossesOfFilesystems(t *testing.T) {
	const redirected = `EROFS with the attribute trusted.overlay.redirect="/x" is not read`
	for _, c := range []struct {
		name    string
		layers  []layer
		options []string
		want    string // of the differences, filesystems being "got"
	}{
		{"a later link's own attributes", []layer{{file("f", "1"), link("g", "f").own(1, 2).at(3, 4)}}, nil, lines(
			`  got  f0644 "f" "1"`, `  got  f0644 "g" "1" => f`,
			`  want f0644 "f" 1:2 @3.000000004 "1"`, `  want f0644 "g" 1:2 @3.000000004 "1" => f`)},
		{"an unnamed directory in a named one", []layer{{dir("d", 0o711).own(1, 2).at(3, 4), file("d/e/f", "")}}, nil, lines(
			`  got  d0755 "d/e" 1:2 @3.000000004`, `  want d0755 "d/e" implied`)},
		{"an unnamed directory in a sticky one", []layer{{dir("d", 0o1777), file("d/e/f", "")}}, nil, lines(
			`  got  d0777 "d/e"`, `  want d0755 "d/e" implied`)},
		{"what a directory inherits before its entry", []layer{{dir("d", 0o700).xattr("user.a", "1")}, {file("d/f", ""), dir("d", 0o700)}}, nil, lines(
			`  got  d0700 "d"`, `  want d0700 "d" {"user.a"="1"}`)},
		{"a directory's second xattr of a name", []layer{{dir("d", 0o700).xattr("security.a", "1"), dir("d", 0o700).xattr("security.a", "2")}}, nil, lines(
			`  got  d0700 "d" {"security.a"="1"}`, `  want d0700 "d" {"security.a"="2"}`)},
		{"a name beside its whiteout", []layer{{file("f", "")}, {file("f", "2"), file(".wh.f", "")}}, nil, lines(
			`  want f0644 "f" "2"`)},
		{"what a whiteout hides below a new directory", []layer{{dir("d", 0o755), file("d/old", "")}, {file(".wh.d", ""), dir("d", 0o755), file("d/new", "")}}, nil, lines(
			`  got  f0644 "d/old"`)},
		{"a 0:0 device, which is a whiteout", []layer{{file("f", "")}, {device("f", 0, 0)}}, nil, lines(
			`  want c0600 "f" 0,0`)},
		{"a device number over 4095:1048575", []layer{{device("f", 4097, 3)}}, nil, lines(
			`  got  c0600 "f" 1,259`, `  want c0600 "f" 4097,3`)},
		{"overlayfs's own xattrs", []layer{{file("f", "").xattr("trusted.overlay.origin", "1").xattr("user.overlay.impure", "y").xattr("user.overlays", "kept")}}, nil, lines(
			`  got  f0644 "f" {"user.overlays"="kept"}`,
			`  want f0644 "f" {"trusted.overlay.origin"="1"} {"user.overlay.impure"="y"} {"user.overlays"="kept"}`)},
		{"opaque by xattr", []layer{{dir("d", 0o755), file("d/f", ""), dir("e", 0o755), file("e/f", "")}, {dir("d", 0o755).xattr("trusted.overlay.opaque", "y"), dir("e", 0o755).xattr("user.overlay.opaque", "y")}}, nil, lines(
			`  got  d0755 "d"`, `  got  d0755 "e"`,
			`  want d0755 "d" {"trusted.overlay.opaque"="y"}`, `  want f0644 "d/f"`,
			`  want d0755 "e" {"user.overlay.opaque"="y"}`, `  want f0644 "e/f"`)},
		{"times", []layer{{file("f", ""), file("d/f", "")}}, []string{"-T5"}, lines(
			`  got  d0777 "d" @5.000000000`, `  got  f0644 "d/f" @5.000000000`, `  got  f0644 "f" @5.000000000`,
			`  want d0755 "d" implied`, `  want f0644 "d/f"`, `  want f0644 "f"`)},
		{"unnamed directories, in an image of the time of the build", []layer{{file("f", "").at(5, 0), file("d/f", "").at(5, 0)}}, []string{"-T5", "--mkfs-time"}, lines(
			`  got  d0777 "d" @5.000000000`, `  want d0755 "d" implied`)},
		{"an open directory that alone has the time of the build", []layer{{dir("d", 0o777).at(5, 0), file("d/f", "")}}, []string{"-T5", "--mkfs-time"}, lines(
			`  got  d0755 "d" implied`, `  want d0777 "d" @5.000000000`)},
		{"nothing, with another time of the build", []layer{{file("f", ""), file("d/f", ""), dir("e", 0o777)}}, []string{"-T5", "--mkfs-time"}, ""},
		{"times, in the form of 48 bits", []layer{{file("f", "1").at(5, 7), file("d/f", "").at(-2, 0)}}, []string{"-E48bit"}, lines(
			`  got  f0644 "d/f" @4294967294.000000000`, `  got  f0644 "f" @5.000000000 "1"`,
			`  want f0644 "d/f" @-2.000000000`, `  want f0644 "f" @5.000000007 "1"`)},
		{"nothing, of the root's own attributes", []layer{{dir(".", 0o700).own(1, 2)}}, nil, ""},
		{"redirect", []layer{{dir("d", 0o755).xattr("trusted.overlay.redirect", "/x")}}, nil, redirected},
		{"metacopy", []layer{{file("f", "").xattr("user.overlay.metacopy", "")}}, nil, `the attribute user.overlay.metacopy=""`},
		{"whiteouts of another kind", []layer{{dir("d", 0o755).xattr("trusted.overlay.opaque", "x")}}, nil, `the attribute trusted.overlay.opaque="x"`},
		{"a whiteout of another kind", []layer{{file("f", "").xattr("trusted.overlay.whiteout", "")}}, nil, `the attribute trusted.overlay.whiteout=""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s store
			var layers []Layer
			for _, content := range tarsOf(c.layers) {
				layers = append(layers, s.filesystem(converted(t, content, c.options...), false))
			}
			if strings.Contains(c.want, "attribute") {
				wantFilesystemError(t, layers, c.want)
				return
			}
			got := differences(list(t, s.mustOpen(t, layers, Options{})), mustList(t, c.layers...))
			if got != c.want {
				t.Errorf("filesystems (got) and tars (want) differ by\n%sinstead of\n%s", got, c.want)
			}
		})
	}
}

func wantFilesystemError(t *testing.T, layers []Layer, said string) {
	t.Helper()
	_, err := Open(t.Context(), layers, Options{SpoolDir: t.TempDir()})
	var unsupported *FilesystemError
	if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), said) || !strings.Contains(err.Error(), typeErofs) {
		t.Errorf("error %v, want a FilesystemError that says %q, and the media type", err, said)
	}
}
