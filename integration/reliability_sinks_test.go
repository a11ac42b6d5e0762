package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// sink is where a run writes to, and what it must have written.
type sink interface {
	args() []string
	// check holds that there is the right output, or none, and removes it.
	check(t *testing.T, status int, stdout []byte)
}

// wholeFile is a regular file.
type wholeFile struct{ outputDir }

func (w wholeFile) args() []string { return []string{"-o", w.file()} }

func (w wholeFile) check(t *testing.T, status int, _ []byte) {
	t.Helper()
	w.outputDir.check(t, status == 0, status == 0)
}

// pipe is standard output.
type pipe struct{ want []byte }

func (pipe) args() []string { return nil }

func (p pipe) check(t *testing.T, status int, stdout []byte) {
	t.Helper()
	if status == 0 && !bytes.Equal(stdout, p.want) {
		t.Errorf("exit status 0 and %d bytes, want %d", len(stdout), len(p.want))
	}
	// It may fail after the last byte: what could not be undone is an error.
	if len(stdout) == 0 || bytes.Equal(stdout, p.want) {
		return
	}
	if _, err := listing.OfTar(bytes.NewReader(stdout)); err == nil {
		t.Errorf("exit status %d, and %d bytes that a reader takes for a whole tar", status, len(stdout))
	}
}

// dirSink is --format dir.
type dirSink struct {
	dir  string
	want listing.Listing
}

func newDirSink(t *testing.T, archive string) dirSink {
	t.Helper()
	s := dirSink{dir: filepath.Join(t.TempDir(), "rootfs")}
	ctrRootfs(t, "export", "--format", "dir", "-o", s.dir, "oci-archive:"+archive)
	var err error
	if s.want, err = listing.OfDir(s.dir); err != nil {
		t.Fatal(err)
	}
	s.remove(t)
	return s
}

func (s dirSink) args() []string { return []string{"-o", s.dir} }

func (s dirSink) check(t *testing.T, status int, _ []byte) {
	t.Helper()
	defer s.remove(t)
	_, err := os.Lstat(s.dir)
	if status != 0 {
		if err == nil {
			t.Errorf("exit status %d, and the directory is there", status)
		}
		return
	}
	got, err := listing.OfDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := listing.Diff(s.want, got); diff != "" {
		t.Errorf("exit status 0, and the directory differs:\n%s", diff)
	}
}

func (s dirSink) remove(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
}
