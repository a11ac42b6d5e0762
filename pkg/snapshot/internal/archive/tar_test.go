package archive

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
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

// TestLayerIsMissing has docker's manifest.json name a layer that is not there:
// the archive is whole, but incomplete.
func TestLayerIsMissing(t *testing.T) {
	files := map[string]string{
		"manifest.json": `[{"Config":"config.json","Layers":["layer.tar"]}]`,
		"config.json":   `{"rootfs":{"type":"layers","diff_ids":["` + digest.FromString("").String() + `"]}}`,
	}
	a := &Tar{parts: map[string]*io.SectionReader{}, made: documents{}, aliases: map[digest.Digest]string{}}
	for name, text := range files {
		a.parts[name] = io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
	}
	_, err := a.Index(t.Context())
	const want = `it is incomplete or damaged: layer "layer.tar": not found`
	if got := message(Explain("a.tar", err)); got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

// TestNoStdin reads "-" where nobody gave a reader for it.
func TestNoStdin(t *testing.T) {
	if a, err := OpenTar(t.Context(), "-", Options{}); !errors.Is(err, errNoStdin) {
		t.Errorf("OpenTar = %v, %v; want %v", a, err, errNoStdin)
	}
}
