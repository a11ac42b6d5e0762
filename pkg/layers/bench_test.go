package layers

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// words gives n bytes that deflate to about a third, as programs and text do.
func words(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := make([][]byte, 4096)
	for i := range vocabulary {
		vocabulary[i] = make([]byte, 2+r.IntN(12))
		for j := range vocabulary[i] {
			vocabulary[i][j] = byte(r.IntN(256))
		}
	}
	out := make([]byte, 0, n+16)
	for len(out) < n {
		// Few words are frequent, most are rare.
		out = append(out, vocabulary[r.IntN(1+r.IntN(len(vocabulary)))]...)
	}
	return out[:n]
}

// BenchmarkInflater is why klauspost/compress inflates gzip here.
func BenchmarkInflater(b *testing.B) {
	const size = 32 << 20
	blob := gzipped(words(size))
	for _, c := range []struct {
		name string
		open func(io.Reader) (io.Reader, error)
	}{
		{"standard", func(r io.Reader) (io.Reader, error) { return stdgzip.NewReader(r) }},
		{"klauspost", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"pgzip", func(r io.Reader) (io.Reader, error) { return pgzip.NewReader(r) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size)
			buf := make([]byte, chunkSize)
			for b.Loop() {
				r, err := c.open(bytes.NewReader(blob))
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf); err != nil || n != size {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkOpen inflates, verifies, spools and indexes one large layer, or four.
func BenchmarkOpen(b *testing.B) {
	const size = 64 << 20
	for _, compress := range []struct {
		name string
		with func([]byte) []byte
	}{{"gzip", gzipped}, {"zstd", zstandard}, {"plain", bytes.Clone}} {
		for _, n := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/layers=%d", compress.name, n), func(b *testing.B) {
				var s concurrentStore
				var layers []Layer
				for i := range n {
					content := layer{file(fmt.Sprint("f", i), string(words(size/n)))}.tar()
					layers = append(layers, s.layer(content, compress.with(content)))
				}
				b.SetBytes(size)
				o := Options{SpoolDir: b.TempDir()}
				for b.Loop() {
					tree, err := Open(b.Context(), layers, o)
					if err != nil {
						b.Fatal(err)
					}
					if err := tree.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// concurrentStore makes layers whose blobs are not counted.
type concurrentStore struct{ store }

func (s *concurrentStore) layer(content, blob []byte) Layer {
	l := s.store.layer(content, blob)
	l.Open = func(ctx context.Context) (Blob, error) { return memoryBlob{bytes.NewReader(blob), new(int)}, nil }
	return l
}

// BenchmarkEntries indexes, merges and walks 1,000,000 files, in few large
// directories or in many small ones, and reports the memory of the index.
func BenchmarkEntries(b *testing.B) {
	const entries = 1_000_000
	for _, perDirectory := range []int{10, 100, entries} {
		b.Run(fmt.Sprintf("in-a-directory=%d", perDirectory), func(b *testing.B) {
			var s concurrentStore
			content := manyFiles(entries, perDirectory)
			l := s.layer(content, content)
			l.InPlace = true
			for b.Loop() {
				before := heap()
				tree, err := Open(b.Context(), []Layer{l}, Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(heap()-before)/entries, "heap-B/entry")
				n := 0
				if err := tree.Walk(b.Context(), func(*export.Entry) error { n++; return nil }); err != nil || n < entries {
					b.Fatal(n, err)
				}
				if err := tree.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func manyFiles(n, perDirectory int) []byte {
	var out bytes.Buffer
	for i := range n {
		out.WriteString(raw{name: fmt.Sprintf("dir%06d/file%06d", i/perDirectory, i), magic: posixMagic, kind: '0'}.bytes())
	}
	return out.Bytes()
}

// TestMemory holds what issue 6 promises of the index: 400 bytes an entry.
func TestMemory(t *testing.T) {
	const entries = 100_000
	for _, perDirectory := range []int{1, 10, entries} {
		var s concurrentStore
		content := manyFiles(entries, perDirectory)
		l := s.layer(content, content)
		l.InPlace = true
		before := heap()
		tree, err := Open(t.Context(), []Layer{l}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		nodes := entries + entries/perDirectory
		if each := int(heap()-before) / nodes; each > 400 {
			t.Errorf("%d names in a directory: %d bytes an entry", perDirectory, each)
		} else {
			t.Logf("%d names in a directory: %d bytes an entry", perDirectory, each)
		}
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(content)
	}
}

// TestMemoryOfDepth walks as deep as an entry can reach, through a decorator that
// keeps the directories above, too: 64 MiB is what is promised beside the entries.
func TestMemoryOfDepth(t *testing.T) {
	tree, err := openImage(t, Options{}, layer{file(strings.Repeat("d/", maxPath/2)+"f", "")}.tar())
	if err != nil {
		t.Fatal(err)
	}
	before, deepest := heap(), uint64(0)
	err = export.Insert(tree, []export.Made{{Path: "z", Type: export.Regular}}).Walk(t.Context(), func(e *export.Entry) error {
		if len(e.Path) > maxPath {
			deepest = heap()
		}
		return nil
	})
	if err != nil || deepest == 0 {
		t.Fatalf("walked to no depth: %v", err)
	}
	if took := int64(deepest - before); took > 32<<20 {
		t.Errorf("a path of %d directories takes %d bytes", maxPath/2, took)
	} else {
		t.Logf("a path of %d directories takes %d bytes", maxPath/2, took)
	}
}
