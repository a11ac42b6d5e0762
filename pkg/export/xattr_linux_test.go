package export

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Both ways of reading attributes give the same, also of what cannot be opened.
func TestXattrCalls(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it sets trusted attributes, which only root may: run go test as root")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(at("file"), nil, 0o600), os.Symlink("none", at("link")), unix.Mkfifo(at("fifo"), 0o600), os.WriteFile(at("bare"), nil, 0o600),
		unix.Lsetxattr(at("file"), "user.b", []byte("\x00"), 0), unix.Lsetxattr(at("file"), "user.a", nil, 0),
		unix.Lsetxattr(at("file"), "user.long", []byte(strings.Repeat("v", 3000)), 0),
		unix.Lsetxattr(at("link"), "trusted.l", []byte("1"), 0), unix.Lsetxattr(at("fifo"), "trusted.f", []byte("2"), 0),
		unix.Lsetxattr(dir, "user.dir", []byte("3"), 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	ways := map[string]xattrCalls{"by /proc": {listXattrProc, getXattrProc}}
	if _, err := listXattrAt(fd, ".", nil); err == nil {
		ways["by listxattrat"] = xattrCalls{listXattrAt, getXattrAt}
	} else {
		t.Logf("NOT TESTED by listxattrat: this kernel answers %v", err)
	}
	for way, calls := range ways {
		r := newXattrReader(calls)
		for name, want := range map[string]string{
			"file": `user.a=0 user.b=1 user.long=3000`, "link": "trusted.l=1", "fifo": "trusted.f=1", "bare": "", ".": "user.dir=1",
		} {
			attrs, err := r.read(fd, name)
			var got []string
			for _, x := range attrs {
				got = append(got, fmt.Sprintf("%s=%d", x.Name, len(x.Value)))
			}
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s of %q: %q, %v; want %q", way, name, got, err, want)
			}
		}
		if _, err := r.read(fd, "none"); err == nil {
			t.Errorf("%s: a name that is not there has attributes", way)
		}
	}
}

// XFS lets one object have thousands of values of 64 KiB: they are not all read.
func TestTooManyXattrsToRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := newDirTree(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	list, given := strings.Repeat("user.a\x00", 5000), 0
	answer := func(buf []byte, size int) (int, error) {
		if len(buf) < size {
			return 0, unix.ERANGE
		}
		return size, nil
	}
	tree.xattrs = newXattrReader(xattrCalls{
		list: func(_ int, _ string, buf []byte) (int, error) {
			copy(buf, list)
			return answer(buf, len(list))
		},
		get: func(_ int, _, _ string, buf []byte) (int, error) {
			n, err := answer(buf, xattrBufferSize)
			given += n
			return n, err
		},
	})
	e, err := tree.Lookup(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Xattrs(t.Context())
	if want := `reading xattrs of "large": over the limit of 16777216 bytes`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got the error %v, want %s", err, want)
	}
	if given > maxXattrs+xattrBufferSize {
		t.Errorf("read %d bytes of values", given)
	}
}
