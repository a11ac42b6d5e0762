package export_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
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

// TestTreeClosedEarly closes a tree in the middle of a walk: the walk fails, a
// body that is open can be read to its end, no other is opened any more, and no
// descriptor is left.
func TestTreeClosedEarly(t *testing.T) {
	dir := t.TempDir()
	for i := range 100 {
		name := filepath.Join(dir, "d", strconv.Itoa(i%3), strconv.Itoa(i))
		must(t, errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("body"), 0o600)))
	}
	before := openDescriptors(t)
	for _, at := range []int{1, 10, 50} {
		tree := export.NewDirTree(openPath(t, dir))
		var seen []*export.Entry
		var open io.ReadCloser
		err := tree.Walk(t.Context(), func(e *export.Entry) (err error) {
			if e.Open != nil && open == nil {
				open, err = e.Open(t.Context())
			}
			if seen = append(seen, e); len(seen) == at {
				err = errors.Join(err, tree.Close())
			}
			return err
		})
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("closed at entry %d, the walk gives %v", at, err)
		}
		if open != nil {
			if data, err := io.ReadAll(open); err != nil || string(data) != "body" {
				t.Errorf("what was open is %q, %v", data, err)
			}
			must(t, open.Close())
		}
		for _, e := range seen {
			if e.Open != nil {
				if _, err := e.Open(t.Context()); !errors.Is(err, os.ErrClosed) {
					t.Errorf("opening %q of a closed tree: %v", e.Path, err)
				}
			}
		}
		if now := openDescriptors(t); now != before {
			t.Errorf("closed at entry %d: %d descriptors are open, before %d", at, now, before)
		}
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
