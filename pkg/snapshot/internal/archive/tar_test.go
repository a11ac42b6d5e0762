package archive

import (
	"errors"
	"fmt"
	"io"
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

// TestNoStdin reads "-" where nobody gave a reader for it.
func TestNoStdin(t *testing.T) {
	if a, err := OpenTar(t.Context(), "-", Options{}); !errors.Is(err, errNoStdin) {
		t.Errorf("OpenTar = %v, %v; want %v", a, err, errNoStdin)
	}
}
