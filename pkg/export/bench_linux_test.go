package export_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// manyFiles is a directory of small files, fifty in each of its directories, and
// how many names it has.
func manyFiles(t testing.TB, files int) (dir string, names int) {
	dir = t.TempDir()
	content := make([]byte, 4000)
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprint(i/50))
		if i%50 == 0 {
			must(t, os.Mkdir(sub, 0o755))
			names++
		}
		must(t, os.WriteFile(filepath.Join(sub, fmt.Sprint("file", i)), content[:i%4000], 0o644))
		names++
	}
	return dir, names
}

// BenchmarkWrite exports 10,000 small files. Divide its allocations by 10,200
// names.
func BenchmarkWrite(b *testing.B) {
	dir, _ := manyFiles(b, 10_000)
	tree := dirTree(b, dir)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := export.Write(b.Context(), tree, export.NewTar(io.Discard)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocationsPerName holds what BenchmarkWrite shows: an image has a hundred
// thousand names, and each allocation is paid for in all of them. Who raises the
// limit says in the commit what it buys.
func TestAllocationsPerName(t *testing.T) {
	const most = 12.5 + raceAllocations
	dir, names := manyFiles(t, 2000)
	tree := dirTree(t, dir)
	allocations := testing.AllocsPerRun(3, func() {
		if _, err := export.Write(t.Context(), tree, export.NewTar(io.Discard)); err != nil {
			t.Fatal(err)
		}
	})
	if each := allocations / float64(names); each > most {
		t.Errorf("exporting %d names: %.1f allocations for each, want at most %.1f", names, each, most)
	}
}
