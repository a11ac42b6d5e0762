package main

import (
	"testing"
)

func TestDocumentIsBounded(t *testing.T) {
	if data, err := readDocument(t.Context(), "/dev/zero"); err == nil {
		t.Errorf("readDocument gave %d bytes of a device without an end", len(data))
	}
}

func TestMetadataFileIsNotTheOutput(t *testing.T) {
	for _, c := range []struct {
		file, output, format string
		refused              bool
	}{
		{"m.json", "o.tar", "tar", false},
		{"", "o.tar", "tar", false},
		{"./o.tar", "o.tar", "tar", true},
		{"-", "", "tar", true},
		{"d/m.json", "d", "dir", true},
		{"d.json", "d", "dir", false},
	} {
		f := metadataFlag{name: c.file}
		if err := f.check(c.output, c.format); (err != nil) != c.refused {
			t.Errorf("--metadata-file %q beside -o %q --format %s: %v", c.file, c.output, c.format, err)
		}
	}
}
