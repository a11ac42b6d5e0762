package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// detached mounts a filesystem in no mount namespace, so that nothing is left
// of it whatever becomes of the test, and gives a path by which this process
// reaches it.
func detached(t *testing.T, kind string, options ...[2]string) string {
	t.Helper()
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Skipf("SKIPPED: this kernel or sandbox mounts no %s: %v", kind, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		must(t, unix.FsconfigSetString(fs, o[0], o[1]))
	}
	must(t, unix.FsconfigCreate(fs))
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { must(t, unix.Close(fd)) })
	return fmt.Sprintf("/proc/self/fd/%d", fd)
}

// twoFilesystems is an overlay over two tmpfs, each with a file of two names;
// all four have the same inode number.
func twoFilesystems(t *testing.T, xino string) export.Tree {
	t.Helper()
	var lower []string
	var inodes []uint64
	for _, name := range []string{"lower", "upper"} {
		dir := detached(t, "tmpfs")
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("of "+name), 0o644))
		must(t, os.Link(filepath.Join(dir, name), filepath.Join(dir, name+"-too")))
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(dir, name), &st))
		lower, inodes = append([]string{dir}, lower...), append(inodes, st.Ino)
	}
	if inodes[0] != inodes[1] {
		t.Fatalf("the inode numbers %d do not repeat: the test tests nothing", inodes)
	}
	return dirTree(t, detached(t, "overlay", [2]string{"lowerdir", strings.Join(lower, ":")}, [2]string{"xino", xino}))
}

// wrongLinks says what is wrong with the hard links of twoFilesystems.
func wrongLinks(t *testing.T, tree export.Tree) string {
	t.Helper()
	var s exporttest.Recorder
	_, err := export.Write(t.Context(), exporttest.Validate(tree), &s)
	must(t, err)
	got := strings.Join(s.Lines, "\n")
	want := `- 0644 0:0 "lower" 8 bytes` + "\n" + `- 0644 0:0 "lower-too" link to "lower"` + "\n" +
		`- 0644 0:0 "upper" 8 bytes` + "\n" + `- 0644 0:0 "upper-too" link to "upper"`
	if got == want && s.Bodies["lower"] == "of lower" && s.Bodies["upper"] == "of upper" {
		return ""
	}
	return fmt.Sprintf("got\n%s\nwith %q, want\n%s", got, s.Bodies, want)
}

// inodeOnly is the fault that the test is to find: links keyed by inode alone.
type inodeOnly struct{ export.Tree }

func (t inodeOnly) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return t.Tree.Walk(ctx, func(e *export.Entry) error {
		mutant := *e
		mutant.Link.Device = 0
		return visit(&mutant)
	})
}

// Inode numbers repeat over an overlay whose layers lie on several filesystems.
func TestHardLinksOverTwoFilesystems(t *testing.T) {
	needRoot(t)
	for _, xino := range []string{"off", "on"} {
		if wrong := wrongLinks(t, twoFilesystems(t, xino)); wrong != "" {
			t.Errorf("xino=%s: %s", xino, wrong)
		}
	}
	if wrongLinks(t, inodeOnly{twoFilesystems(t, "off")}) == "" {
		t.Error("the test does not find links that are keyed by inode alone")
	}
}

// 40 attributes of 30 KB on one file are on disk what no tar can hold.
func TestTooManyXattrsOnDisk(t *testing.T) {
	needRoot(t)
	dir := detached(t, "tmpfs")
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	file := filepath.Join(dir, "d/large")
	must(t, os.WriteFile(file, nil, 0o644))
	for i := range 40 {
		name := fmt.Sprintf("trusted.%02d", i)
		if err := unix.Setxattr(file, name, make([]byte, 30_000), 0); err != nil {
			t.Skipf("SKIPPED: this kernel's tmpfs does not hold 40 attributes of 30,000 bytes: %v", err)
		}
	}
	var out strings.Builder
	_, err := export.Write(t.Context(), dirTree(t, dir), export.NewTar(&out))
	if err == nil || !strings.Contains(err.Error(), `"d/large"`) {
		t.Errorf("got the error %v, want one that names the file", err)
	}
	checkPoisoned(t, []byte(out.String()), "too many attributes")

	lines, _ := list(t, export.Xattrs(dirTree(t, dir), export.XattrsNone))
	if len(lines) != 2 {
		t.Errorf("without attributes it lists %q", lines)
	}
}
