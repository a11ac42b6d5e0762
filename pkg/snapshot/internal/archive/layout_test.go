package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// layoutOf makes a layout with that index.json, which is filled up with zeros to
// size.
func layoutOf(t *testing.T, index string, size int64) Layout {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{ispec.ImageLayoutFile: `{"imageLayoutVersion":"1.0.0"}`, ispec.ImageIndexFile: index} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if size > 0 {
		if err := os.Truncate(filepath.Join(dir, ispec.ImageIndexFile), size); err != nil {
			t.Fatal(err)
		}
	}
	return Layout(dir)
}

func TestLayoutIndex(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const index = `{"schemaVersion":2,"manifests":[]}`
	for _, c := range []struct {
		name string
		in   Layout
		want string // of the error; none where it is empty
	}{
		{"one", layoutOf(t, index, 0), ""},
		{"garbage behind it", layoutOf(t, index+"}", 0), `parsing "index.json": invalid character '}' after top-level value`},
		{"two of them", layoutOf(t, index+index, 0), `parsing "index.json": invalid character '{' after top-level value`},
		{"too large", layoutOf(t, index, document.MaxBytes+1), `reading "index.json": 16777217 bytes are more than the 16777216 that such a document may have`},
		{"a file", Layout(file), syscall.ENOTDIR.Error()},
		{"an empty directory", Layout(t.TempDir()), `it is not an OCI layout: it has no "oci-layout"`},
	} {
		_, err := c.in.Index(t.Context())
		if got := message(err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestExplainNamesTheFile has an error be about one file of a layout.
func TestExplainNamesTheFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: making a symlink needs a privilege on Windows")
	}
	l := layoutOf(t, "{}", 0)
	d := digest.FromString("a blob")
	blob := filepath.Join("blobs", "sha256", d.Encoded())
	if err := os.MkdirAll(filepath.Join(string(l), filepath.Dir(blob)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(d.Encoded(), filepath.Join(string(l), blob)); err != nil {
		t.Fatal(err)
	}
	_, err := l.ReaderAt(t.Context(), ispec.Descriptor{Digest: d})
	err = Explain(string(l), err)
	if !errors.Is(err, syscall.ELOOP) || !strings.Contains(err.Error(), d.Encoded()) || strings.Contains(err.Error(), string(l)) {
		t.Errorf("a blob that is a symlink to itself: %v, want %q with the blob's name, and not the layout's", err, syscall.ELOOP)
	}
	// The archive's own path is said by whoever has it.
	own := &fs.PathError{Op: "open", Path: string(l), Err: syscall.EACCES}
	other := &fs.PathError{Op: "read", Path: "elsewhere", Err: syscall.EIO}
	if Explain(string(l), own) != error(syscall.EACCES) || Explain(string(l), other) != error(other) {
		t.Errorf("of %q: %v, and %v", l, Explain(string(l), own), Explain(string(l), other))
	}
}
