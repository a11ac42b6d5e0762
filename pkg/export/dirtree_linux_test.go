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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dirTree opens dir by O_PATH, the least that NewDirTree takes.
func dirTree(t testing.TB, dir string) export.Tree {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	tree := export.NewDirTree(os.NewFile(uintptr(fd), dir))
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it makes devices and sets owners, which only root may: run go test as root")
	}
}

// torture makes a directory of what Linux can hold.
func torture(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"d", "d/e", "a", "a-b", "closed", "sticky", "big dir"} {
		must(t, os.Mkdir(at(name), 0o755))
	}
	long := strings.Repeat("n", 255)
	for name, content := range map[string]string{
		"d/file": "content", "d/empty": "", "a/b": "1", "suid": "#!", "new\nline": "x", "\xff\xfe": "y", "-dash": "", `back\slash`: "",
		"trailing ": "", long: "z", ".wh.looks": "", "ünï": "u", "cap": "c", "big": strings.Repeat("0123456789", 300_000), "closed/f": "f",
	} {
		must(t, os.WriteFile(at(name), []byte(content), 0o600))
	}
	for i := range 3000 {
		must(t, os.WriteFile(at(fmt.Sprintf("big dir/%d", i)), []byte{byte(i)}, 0o644))
	}
	for name, target := range map[string]string{
		"abs": "/d/file", "out": "../../../etc", "self": "self", "long-target": strings.Repeat("t/", 2000), "d/fifo-link": "../fifo",
	} {
		must(t, os.Symlink(target, at(name)))
	}
	must(t, unix.Mkfifo(at("fifo"), 0o640))
	must(t, unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(at("blk"), unix.S_IFBLK|0o600, int(unix.Mkdev(259, 70000))))
	for name, to := range map[string]string{"d/e/hard": "a/b", "fifo2": "fifo", "null2": "null", "self2": "self"} {
		must(t, os.Link(at(to), at(name)))
	}
	must(t, os.Chown(at("suid"), 1<<21+1, 1<<31-1))
	must(t, unix.Chmod(at("suid"), 0o6755))
	must(t, unix.Chmod(at("sticky"), 0o3777))
	must(t, os.Lchown(at("abs"), 7, 8))
	must(t, unix.Setxattr(at("cap"), "security.capability", []byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	must(t, unix.Setxattr(at("d/file"), "user.a=b%c", []byte("\x00\xff="), 0))
	must(t, unix.Setxattr(at("d/file"), "user.empty", nil, 0))
	must(t, unix.Setxattr(at("d"), "user.dir", []byte("v"), 0))
	must(t, unix.Lsetxattr(at("abs"), "trusted.link", []byte("v"), 0))
	must(t, unix.Lsetxattr(at("fifo"), "trusted.fifo", []byte("v"), 0))
	for name, sec := range map[string]int64{"d/empty": -1_000_000, "suid": 1 << 33, "abs": 5, "a": 1_234_567_890} {
		ts := []unix.Timespec{{Sec: sec, Nsec: 987654321}, {Sec: sec, Nsec: 987654321}}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, at(name), ts, unix.AT_SYMLINK_NOFOLLOW))
	}
	must(t, os.Chmod(at("closed"), 0))
	return dir
}

// manifest lists a directory to the nanosecond, bodies included.
func manifest(t *testing.T, dir string) []string {
	t.Helper()
	var s exporttest.Recorder
	times := map[string]time.Time{}
	tree := dirTree(t, dir)
	_, err := export.Write(t.Context(), exporttest.Validate(tree), &s)
	must(t, err)
	must(t, tree.Walk(t.Context(), func(e *export.Entry) error { times[e.Path] = e.MTime; return nil }))
	paths := slices.SortedFunc(func(yield func(string) bool) {
		for path := range times {
			if !yield(path) {
				return
			}
		}
	}, export.Compare)
	for i, path := range paths {
		s.Lines[i] += fmt.Sprintf(" %d.%09d %x", times[path].Unix(), times[path].Nanosecond(), s.Bodies[path][:min(20, len(s.Bodies[path]))])
	}
	return s.Lines
}

func compareManifests(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of %d and %d:\n got %.300s\nwant %.300s", i, len(got), len(want), append(got, "(end)")[min(i, len(got))], append(want, "(end)")[min(i, len(want))])
		}
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
	root, err := os.Open(into)
	must(t, err)
	sink, err := export.NewDir(root, export.DirOptions{})
	must(t, err)
	_, err = export.Write(t.Context(), dirTree(t, dir), sink)
	must(t, err)
	compareManifests(t, manifest(t, into), manifest(t, dir))
	if len(sink.Skipped()) > 0 {
		t.Errorf("skipped %v", sink.Skipped())
	}
	root, err = os.Open(into)
	must(t, err)
	if _, err := export.NewDir(root, export.DirOptions{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a full directory: %v", err)
	}
}

func TestFailedDirIsRemoved(t *testing.T) {
	into := t.TempDir()
	root, err := os.Open(into)
	must(t, err)
	sink, err := export.NewDir(root, export.DirOptions{NoSameOwner: true})
	must(t, err)
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
			fmt.Sscan(string(data), &got[i])
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
	for _, path := range []string{"l/f", "d/f/x", "none", "d/none/x"} {
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
	defer os.RemoveAll(dir)
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
	ctx, cancel := context.WithCancel(t.Context())
	var stopped time.Time
	counted = &counter{after: 1 << 30, do: func() { stopped = time.Now(); cancel() }}
	if _, err := export.Write(ctx, dirTree(t, dir), export.NewTar(counted)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if took := time.Since(stopped); took > 100*time.Millisecond {
		t.Errorf("it took %v to stop", took)
	}
}

// counter counts bytes, and does something once after some of them.
type counter struct {
	n, after int64
	do       func()
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	if c.do != nil && c.n > c.after {
		c.do()
		c.do = nil
	}
	return len(p), nil
}
