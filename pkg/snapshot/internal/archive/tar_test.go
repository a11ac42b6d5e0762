package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestLinksToLinks follows links of an archive whatever their order is, and not
// for ever.
func TestLinksToLinks(t *testing.T) {
	body := strings.NewReader("body")
	for range 20 { // a map's order differs
		a := &Tar{parts: map[string]*io.SectionReader{"file": io.NewSectionReader(body, 0, 4)}}
		links := map[string]string{"self": "self", "one": "two", "two": "one", "nowhere": "none"}
		last := "file"
		for i := range 9 {
			name := fmt.Sprintf("link%d", i)
			links[name], last = last, name
		}
		a.follow(links)
		if len(a.parts) != 10 || a.parts[last] != a.parts["file"] {
			t.Fatalf("found %d files, want the file and 9 links: %v", len(a.parts), a.parts)
		}
	}
}

// TestNamesAreBounded reads archives of files, or links, whose names or targets
// have nearly the MiB that package tar allows.
func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20-64)
	const tooMany = "its names and links have more than 16777216 bytes"
	for _, c := range []struct {
		name  string
		in    tar.Header
		count int
		want  string // of the error; none where it is empty
	}{
		{"names that fit", tar.Header{Typeflag: tar.TypeReg, Name: long}, 16, ""},
		{"names", tar.Header{Typeflag: tar.TypeReg, Name: long}, 17, tooMany},
		{"hard links", tar.Header{Typeflag: tar.TypeLink, Linkname: long}, 17, tooMany},
		{"symlinks", tar.Header{Typeflag: tar.TypeSymlink, Linkname: long}, 17, tooMany},
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "a.tar"))
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(file)
		for i := range c.count {
			header := c.in
			header.Name = strconv.Itoa(i) + header.Name
			if err := w.WriteHeader(&header); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), file.Close()); err != nil {
			t.Fatal(err)
		}
		a, err := OpenTar(t.Context(), file.Name(), Options{})
		if err == nil {
			err = a.Close()
		}
		if got := message(err); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.count, c.name, got, c.want)
		}
		if err := os.Remove(file.Name()); err != nil {
			t.Error(err)
		}
	}
}

// TestNoStdin reads "-" where nobody gave a reader for it.
func TestNoStdin(t *testing.T) {
	if a, err := OpenTar(t.Context(), "-", Options{}); !errors.Is(err, errNoStdin) {
		t.Errorf("OpenTar = %v, %v; want %v", a, err, errNoStdin)
	}
}
