package export_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// fewDescriptors is set for the child of TestDeepTreeWithFewDescriptors: the
// directory that it exports and the one that it writes, parted by a colon.
const fewDescriptors = "EXPORT_TEST_FEW_DESCRIPTORS"

// deepTree makes depth directories below one another, each with a file before
// and after it, by descriptors: its paths are longer than PATH_MAX.
func deepTree(t *testing.T, depth int) string {
	t.Helper()
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	name := strings.Repeat("d", 50)
	for range depth {
		for _, file := range []string{"a", "z"} {
			f, err := unix.Openat(fd, file, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
			must(t, err)
			_, err = unix.Write(f, []byte("x"))
			must(t, err)
			must(t, unix.Close(f))
		}
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd = next
	}
	must(t, unix.Close(fd))
	return dir
}

func TestDeepTreeWithFewDescriptors(t *testing.T) {
	if from, into, child := strings.Cut(os.Getenv(fewDescriptors), ":"); child {
		exportWithFewDescriptors(t, from, into)
		return
	}
	dir := deepTree(t, 200) // 10 KB of path
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDeepTreeWithFewDescriptors$")
	cmd.Env = append(os.Environ(), fewDescriptors+"="+dir+":"+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %.1000s", err, out)
	}
}

// exportWithFewDescriptors writes dir as a tar, and as the directory into; that
// it is removed again is the parent's part, since os.RemoveAll needs more.
func exportWithFewDescriptors(t *testing.T, dir, into string) {
	limit := unix.Rlimit{Cur: 64, Max: 64}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	var b bytes.Buffer
	tree := dirTree(t, dir)
	report, err := export.Write(t.Context(), exporttest.Validate(tree), export.NewTar(&b))
	if err != nil || report.Directories != 200 || report.RegularFiles != 400 {
		t.Fatalf("%+v, %v", report, err)
	}
	sink := dirSink(t, into, export.DirOptions{NoSameOwner: true})
	if report, err = export.Write(t.Context(), tree, sink); err != nil || report.RegularFiles != 400 {
		t.Fatalf("as a directory: %+v, %v", report, err)
	}
}
