package export_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// TestFilesOpenedByTheWalk reads what a walk showed after it is over, which is
// far more than it keeps open; and a walk that nobody reads after leaves no
// descriptor behind.
func TestFilesOpenedByTheWalk(t *testing.T) {
	const files = 3000
	dir := t.TempDir()
	for i := range files {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d", i)), fmt.Append(nil, i), 0o600))
	}
	before := openDescriptors(t)
	tree := export.NewDirTree(openPath(t, dir))
	entries := treeEntries(t, tree)
	if len(entries) != files {
		t.Fatalf("%d entries, want %d", len(entries), files)
	}
	if now := openDescriptors(t); now-before > 1000 {
		t.Errorf("a walk has %d descriptors open", now-before)
	}
	for i, e := range entries {
		body, err := e.Open(t.Context())
		must(t, err)
		content, err := io.ReadAll(body)
		if err != nil || string(content) != fmt.Sprint(i) {
			t.Errorf("%q is %q, %v", e.Path, content, err)
		}
		must(t, body.Close())
	}
	must(t, tree.Walk(t.Context(), func(*export.Entry) error { return nil }))
	must(t, tree.Close())
	if now := openDescriptors(t); now != before {
		t.Errorf("%d descriptors are open, before %d", now, before)
	}
}

func openPath(t testing.TB, dir string) *os.File {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	return os.NewFile(uintptr(fd), dir)
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(names)
}
