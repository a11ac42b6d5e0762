package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// TestMetadataKeepsBytes: a name that is no UTF-8 is whole in the metadata.
func TestMetadataKeepsBytes(t *testing.T) {
	const name = "a\xff"
	m := metadata{
		Changed: changesForJSON([]export.Change{{Path: name, Why: export.Grew}}),
		LeftOut: unholdable(export.Report{Sockets: []string{name, "text"}, SocketCount: 2}, nil),
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), `"pathBytes":"Yf8="`); n != 2 {
		t.Errorf("the bytes of %q are %d times in %s, want twice", name, n, text)
	}
	if strings.Contains(string(text), `"sockets"`) {
		t.Errorf("sockets are listed a second time, by text: %s", text)
	}
}

// TestMetadataOfNothingLeftOut is a list, too, as a program expects.
func TestMetadataOfNothingLeftOut(t *testing.T) {
	text, err := json.Marshal(metadata{LeftOut: listed(nil, nil)})
	if err != nil || !strings.Contains(string(text), `"leftOut":[]`) {
		t.Errorf("metadata of nothing left out: %v, %s", err, text)
	}
}

// TestFewEntriesAreNamed: an image cannot fill a log with what its config holds.
func TestFewEntriesAreNamed(t *testing.T) {
	for entries, want := range map[int]struct{ named, counted int64 }{
		0: {0, 0}, 1: {1, 0}, maxNamedEntries: {maxNamedEntries, 0}, maxNamedEntries + 7: {maxNamedEntries, 7},
	} {
		o := &opened{dropped: make([]ocispec.Dropped, entries)}
		var named, counted int64
		for _, l := range unfit(o) {
			if l.Config != "" {
				named += l.Count
			} else {
				counted += l.Count
			}
		}
		if named != want.named || counted != want.counted {
			t.Errorf("of %d entries %d are named and %d counted, want %+v", entries, named, counted, want)
		}
	}
}

func TestMetadataFileIsNotTheOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		file, output string
		refused      bool
	}{
		{"m.json", "o.tar", false},
		{"", "o.tar", false},
		{"./o.tar", "o.tar", true},
		{"-", "", true},
		{"d/m.json", "d", true},
		{"d.json", "d", false},
	} {
		f := metadataFlag{name: c.file}
		if err := f.check(c.output); (err != nil) != c.refused {
			t.Errorf("--metadata-file %q beside -o %q: %v", c.file, c.output, err)
		}
	}
}
