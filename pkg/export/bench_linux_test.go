package export_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// BenchmarkWrite exports 10,000 small files in 200 directories. Divide its
// allocations by 10,200 entries.
func BenchmarkWrite(b *testing.B) {
	dir := b.TempDir()
	content := make([]byte, 4000)
	for i := range 10_000 {
		sub := filepath.Join(dir, fmt.Sprint(i/50))
		if i%50 == 0 {
			must(b, os.Mkdir(sub, 0o755))
		}
		must(b, os.WriteFile(filepath.Join(sub, fmt.Sprint("file", i)), content[:i%4000], 0o644))
	}
	tree := dirTree(b, dir)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := export.Write(b.Context(), tree, export.NewTar(io.Discard)); err != nil {
			b.Fatal(err)
		}
	}
}
