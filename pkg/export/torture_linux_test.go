package export_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

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
