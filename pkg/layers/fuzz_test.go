package layers

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
)

// fuzzLimits keep an input from taking long.
func fuzzLimits() Options {
	return Options{MaxEntries: 10_000, MaxBytes: 8 << 20, MaxMetadata: 1 << 20}
}

// FuzzTar reads any bytes as the upper of two layers: what is not refused is a
// tree that keeps every promise of a Walk, and whose bodies can be read.
func FuzzTar(f *testing.F) {
	f.Add(layer{dir("d", 0o755), file("d/f", "body"), link("d/g", "d/f"), symlink("s", "../d"), file("s/x", ""), opaque("d")}.tar())
	f.Add(layer{file(".wh.a", ""), file("a/b", "1").xattr("user.a", "1"), device("c", 1, 3), link("x", "b/low")}.tar())
	f.Add([]byte(raw{name: "x", magic: posixMagic, kind: 'x', body: records("GNU.sparse.size", "14", "GNU.sparse.numblocks", "2", "GNU.sparse.map", "1,4,9,4")}.bytes() + raw{name: "s", magic: posixMagic, kind: '0', body: "datamore"}.bytes()))
	f.Add([]byte(raw{name: "s", magic: gnuMagic, kind: 'S', body: "data"}.bytes()))
	lower := layer{file("a", "low"), dir("b", 0o700), file("b/low", "1"), symlink("s", "b"), dir("d", 0o755), file("d/old", "")}.tar()
	f.Fuzz(func(t *testing.T, content []byte) {
		tree, err := openImage(t, fuzzLimits(), lower, content)
		if err != nil {
			return
		}
		list(t, tree)
	})
}

// FuzzFilesystem reads any bytes as a filesystem over a tar.
func FuzzFilesystem(f *testing.F) {
	for _, l := range erofsImage {
		f.Add(converted(f, l.tar()))
	}
	lower := layer{file("a", "low"), dir("etc", 0o700), file("etc/old", "1"), dir("hidden", 0o755), file("hidden/f", "")}.tar()
	f.Fuzz(func(t *testing.T, image []byte) {
		if len(image) > erofs.SuperOffset+8 {
			image = bytes.Clone(image)
			image[erofs.SuperOffset+8] &^= erofs.FeatureChecksum
		}
		var s store
		o := fuzzLimits()
		o.SpoolDir, o.Workers = t.TempDir(), 1
		tree, err := Open(t.Context(), []Layer{s.layer(lower, lower), s.filesystem(image, false)}, o)
		if err == nil {
			list(t, tree)
			err = tree.Close()
		}
		if s.open != 0 {
			t.Errorf("%d blobs are open after %v", s.open, err)
		}
	})
}

// FuzzBlob reads any bytes as a layer's blob.
func FuzzBlob(f *testing.F) {
	content := layer{file("f", "body")}.tar()
	f.Add(content)
	f.Add(gzipped(content))
	f.Add(zstandard(content))
	f.Add(append(gzipped(content), gzipped(content)...))
	f.Fuzz(func(t *testing.T, blob []byte) {
		var s store
		o := fuzzLimits()
		o.SpoolDir = t.TempDir()
		tree, err := Open(t.Context(), []Layer{s.layer(content, blob)}, o)
		if err == nil {
			// The diff ID holds: this is the layer, however it was compressed.
			if got := list(t, tree); got != lines(`f0644 "f" "body"`) {
				t.Errorf("wrong tree:\n%s", got)
			}
			err = tree.Close()
		}
		if s.open != 0 {
			t.Errorf("%d blobs are open after %v", s.open, err)
		}
	})
}

// choices gives the fuzzer's bytes to the generator of random images, so that
// coverage, and not only chance, leads to new ones.
type choices struct {
	bytes []byte
	rand.Source
}

// Uint64 has a choice in its highest byte: that is what a small IntN goes by.
func (c *choices) Uint64() uint64 {
	random := c.Source.Uint64()
	if len(c.bytes) == 0 {
		return random
	}
	next := c.bytes[0]
	c.bytes = c.bytes[1:]
	return uint64(next)<<56 | random>>8
}

// FuzzMerge compares with the plain model.
func FuzzMerge(f *testing.F) {
	for seed := range byte(20) {
		f.Add(bytes.Repeat([]byte{seed * 13, seed}, 100))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		layers := imageOf(&choices{data, rand.NewPCG(0, 0)}, asSpec)
		tree, err := openImage(t, Options{}, tarsOf(layers)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, script(layers))
		}
		if got, want := list(t, tree), applyModel(layers).list(); got != want {
			t.Fatalf("layers (got) and model (want) differ:\n%s\n%s", differences(got, want), script(layers))
		}
	})
}

// FuzzPaths: no name and no symlink leads out of the root.
func FuzzPaths(f *testing.F) {
	f.Add("../../etc/passwd", "/../..//x/./y")
	f.Add("a/b/c", "../../../..")
	f.Fuzz(func(t *testing.T, name, target string) {
		x := newIndex(0, newQuota(fuzzLimits()))
		s := symlink("s", target)
		if err := x.add(&s.Header, body{}); err != nil {
			return
		}
		names, err := resolve(x.root, cleanPath("s/"+name))
		if err != nil {
			return
		}
		for _, n := range names {
			if n == "" || n == "." || n == ".." || strings.Contains(n, "/") {
				t.Errorf("%q through a symlink to %q leads to %q", name, target, names)
			}
		}
	})
}
