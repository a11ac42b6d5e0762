package export_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// dirTree opens dir by O_PATH, the least that NewDirTree takes.
func dirTree(t testing.TB, dir string) export.Tree {
	t.Helper()
	tree := export.NewDirTree(openPath(t, dir))
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it makes devices and sets owners, which only root may: run go test as root")
	}
}

func TestTarIsUnpackedByGNUTar(t *testing.T) {
	needRoot(t)
	dir := torture(t)
	out, into := filepath.Join(t.TempDir(), "out.tar"), t.TempDir()
	f, err := os.Create(out)
	must(t, err)
	report, err := export.Write(t.Context(), exporttest.Validate(dirTree(t, dir)), export.NewTar(f))
	must(t, errors.Join(err, f.Close()))
	if report.HardLinks != 4 || report.FIFOs != 1 || report.CharDevices != 1 || report.BlockDevices != 1 || report.Directories != 7 {
		t.Errorf("report %+v", report)
	}
	cmd := exec.CommandContext(t.Context(), "tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f", out, "-C", into)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %.500s", err, text)
	}
	compareManifests(t, manifest(t, into), manifest(t, dir))
}

func TestDirIsTheSameTree(t *testing.T) {
	needRoot(t)
	dir, into := torture(t), t.TempDir()
	sink := dirSink(t, into, export.DirOptions{})
	_, err := export.Write(t.Context(), dirTree(t, dir), sink)
	must(t, err)
	compareManifests(t, manifest(t, into), manifest(t, dir))
	if len(sink.Skipped()) > 0 {
		t.Errorf("skipped %v", sink.Skipped())
	}
	root, err := os.Open(into)
	must(t, err)
	if _, err := export.NewDir(root, export.DirOptions{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a full directory: %v", err)
	}
}

func TestFailedDirIsRemoved(t *testing.T) {
	into := t.TempDir()
	sink := dirSink(t, into, export.DirOptions{NoSameOwner: true})
	entries := []*export.Entry{exporttest.Link("a-out", "/etc"), wrongSize(9, "short")}
	path := "d"
	for range 60 {
		e := exporttest.Dir(path)
		e.Mode = 0
		entries = append(entries, e, exporttest.File(path+"/f", "x"))
		path += "/d"
	}
	if _, err := export.Write(t.Context(), exporttest.New(entries...), sink); err == nil {
		t.Fatal("a short body is taken")
	}
	if left, err := os.ReadDir(into); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	// The short one is found out before it is put.
	if got, want := sink.Removed(), int64(len(entries)-1); got != want {
		t.Errorf("%d names were removed, want %d", got, want)
	}
}

// TestDirStaysWhereClosingFails has the kernel refuse to close each descriptor of
// a directory that is whole: nothing was written through them, and an error
// would stand beside a directory that nobody can remove any more.
func TestDirStaysWhereClosingFails(t *testing.T) {
	into := t.TempDir()
	sink := dirSink(t, into, export.DirOptions{NoSameOwner: true})
	tree := exporttest.New(exporttest.Dir("a"), exporttest.File("a/f", "x"), exporttest.Dir("b"), exporttest.File("b/g", "y"), exporttest.File("c", ""))
	closed := 0
	_, err := export.Write(t.Context(), tree, closesBehind{sink, func() {
		for _, fd := range openBelow(t, into) {
			must(t, unix.Close(fd))
			closed++
		}
	}})
	if err != nil || closed < 3 {
		t.Errorf("%d descriptors could not be closed: %v", closed, err)
	}
	for _, name := range []string{"a/f", "b/g", "c"} {
		if _, err := os.Stat(filepath.Join(into, name)); err != nil {
			t.Error(err)
		}
	}
}

// closesBehind is a Sink under which something is done before it is closed.
type closesBehind struct {
	*export.Dir
	before func()
}

func (c closesBehind) Close() error {
	c.before()
	return c.Dir.Close()
}

// openBelow lists the descriptors of this process at and below dir.
func openBelow(t *testing.T, dir string) []int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var below []int
	for _, e := range all {
		path, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || path != dir && !strings.HasPrefix(path, dir+"/") {
			continue // closed by now, or another one
		}
		fd, err := strconv.Atoi(e.Name())
		must(t, err)
		below = append(below, fd)
	}
	return below
}

// The entries of a walk can be read after it, from many goroutines, when their
// directories were closed long ago.
func TestEntriesOutliveTheirDirectories(t *testing.T) {
	dir := t.TempDir()
	var want int
	for i := range 60 {
		sub := filepath.Join(dir, fmt.Sprint(i), "x")
		must(t, os.MkdirAll(sub, 0o755))
		must(t, os.WriteFile(filepath.Join(sub, "f"), fmt.Append(nil, i), 0o644))
		want += i
	}
	tree := dirTree(t, dir)
	var files []*export.Entry
	must(t, tree.Walk(t.Context(), func(e *export.Entry) error {
		if e.Type == export.Regular {
			files = append(files, e)
		}
		return nil
	}))
	var wg sync.WaitGroup
	got := make([]int, len(files))
	for i, e := range files {
		wg.Go(func() {
			body, err := e.Open(context.Background())
			if err != nil {
				t.Errorf("%q: %v", e.Path, err)
				return
			}
			data, err := io.ReadAll(body)
			if err := errors.Join(err, body.Close()); err != nil {
				t.Errorf("%q: %v", e.Path, err)
			}
			if _, err := fmt.Sscan(string(data), &got[i]); err != nil {
				t.Errorf("%q: %v", e.Path, err)
			}
			if _, err := e.Xattrs(context.Background()); err != nil {
				t.Errorf("%q: %v", e.Path, err)
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum != want {
		t.Errorf("the files' numbers sum up to %d, want %d", sum, want)
	}
}

func TestChangedObjectsAreErrors(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"vanished": os.Remove,
		"became a FIFO": func(path string) error {
			return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600))
		},
		"became a symlink": func(path string) error {
			return errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path))
		},
		"another file": func(path string) error {
			return errors.Join(os.WriteFile(path+"2", []byte("other"), 0o600), os.Rename(path+"2", path))
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "d", "f")
		must(t, os.Mkdir(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("text"), 0o600))
		e, err := dirTree(t, dir).Lookup(t.Context(), "d/f")
		must(t, err)
		must(t, change(path))
		if body, err := e.Open(t.Context()); err == nil || !strings.Contains(err.Error(), `"d/f"`) {
			t.Errorf("%s: opened %v, %v", name, body, err)
		}
	}
}

func TestLookupFollowsNothing(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "d/f"), nil, 0o644))
	must(t, os.Symlink("d", filepath.Join(dir, "l")))
	tree := dirTree(t, dir)
	for path, want := range map[string]export.Type{".": export.Directory, "d": export.Directory, "d/f": export.Regular, "l": export.Symlink} {
		if e, err := tree.Lookup(t.Context(), path); err != nil || e.Type != want || e.Path != path {
			t.Errorf("Lookup(%q) = %+v, %v", path, e, err)
		}
	}
	for _, path := range []string{"l/f", "d/f/x", "none", "d/none/x", "..", "d/..", "../" + filepath.Base(dir), "", "/"} {
		if _, err := tree.Lookup(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Lookup(%q): %v, want not found", path, err)
		}
	}
}

func TestHoleOfNineGiB(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it reads 9 GiB of holes; run without -short")
	}
	// A tmpfs reads holes without filling the page cache.
	dir, err := os.MkdirTemp("/dev/shm", "export-hole")
	if err != nil {
		dir = t.TempDir()
	}
	defer func() { must(t, os.RemoveAll(dir)) }()
	must(t, os.WriteFile(filepath.Join(dir, "hole"), nil, 0o644))
	if err := os.Truncate(filepath.Join(dir, "hole"), 9<<30); err != nil {
		t.Skipf("SKIPPED: this filesystem holds no file of 9 GiB: %v", err)
	}
	counted := &counter{}
	report, err := export.Write(t.Context(), dirTree(t, dir), export.NewTar(counted))
	must(t, err)
	if want := int64(9<<30 + 3*512 + 1024); counted.n < want || report.Bytes != 9<<30 {
		t.Errorf("%d bytes written, want at least %d", counted.n, want)
	}
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
