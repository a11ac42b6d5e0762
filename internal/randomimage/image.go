// Package randomimage makes random layered images for tests: small ones, whose
// few names collide in all the ways in which layers can change one another.
// The same seed and the same rules make the same image everywhere.
package randomimage

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// Created is a time before and after which entries are: an image's own.
var Created = time.Unix(1_700_000_000, 0)

// usual is the time of most entries.
var usual = Created.Add(-100_000_000 * time.Second)

const (
	maxLayers  = 5
	maxEntries = 14
	opaqueMark = ".wh..wh..opq"
)

// Rules say what an image may hold.
type Rules struct {
	// Unpackable: nothing that containerd refuses or loses, so no hard links to
	// lower layers, whiteouts beside entries and opaque roots.
	Unpackable bool
	// Defined: nothing that image-spec's layer.md leaves open, so no paths
	// through symlinks and no attributes of directories behind opaque marks; with
	// Unpackable, no hard links whose attributes are not their file's, either.
	Defined bool
}

// stream keeps images of other rules apart, and those of a seed as they were.
func (r Rules) stream() uint64 {
	switch {
	case r.Unpackable && r.Defined:
		return 2
	case r.Defined:
		return 1
	}
	return 0
}

// Entry is one entry of a layer's tar.
type Entry struct {
	tar.Header
	Body string
}

// Layer is the entries of a layer in the order of its tar.
type Layer []Entry

// Tar gives the layer's bytes.
func (l Layer) Tar() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range l {
		if err := w.WriteHeader(&e.Header); err != nil {
			return nil, fmt.Errorf("writing %q: %w", e.Name, err)
		}
		if _, err := io.WriteString(w, e.Body); err != nil {
			return nil, fmt.Errorf("writing %q: %w", e.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finishing a layer: %w", err)
	}
	return out.Bytes(), nil
}

// String shows a layer's entries, one a line.
func (l Layer) String() string {
	var out strings.Builder
	for _, i := range l {
		fmt.Fprintf(&out, "  %c %q %04o %d:%d @%d %q %v\n", i.Typeflag, i.Name, i.Mode, i.Uid, i.Gid, i.ModTime.Unix(), i.Linkname, i.PAXRecords)
	}
	return out.String()
}

// Script shows an image as a failure does.
func Script(layers []Layer) string {
	var out strings.Builder
	for n, l := range layers {
		fmt.Fprintf(&out, "layer %d:\n%s", n+1, l)
	}
	return out.String()
}

func entry(kind byte, name string, mode int64) Entry {
	return Entry{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: usual, Format: tar.FormatPAX}}
}

func dir(name string, mode int64) Entry { return entry(tar.TypeDir, name+"/", mode) }
func fifo(name string) Entry            { return entry(tar.TypeFifo, name, 0o600) }

func file(name, body string) Entry {
	i := entry(tar.TypeReg, name, 0o644)
	i.Size, i.Body = int64(len(body)), body
	return i
}

func link(name, target string) Entry {
	i := entry(tar.TypeLink, name, 0o644)
	i.Linkname = target
	return i
}

func symlink(name, target string) Entry {
	i := entry(tar.TypeSymlink, name, 0o777)
	i.Linkname = target
	return i
}

func device(name string, major, minor int64) Entry {
	i := entry(tar.TypeChar, name, 0o600)
	i.Devmajor, i.Devminor = major, minor
	return i
}

func (i Entry) xattr(name, value string) Entry {
	records := map[string]string{"SCHILY.xattr." + name: value}
	for key, value := range i.PAXRecords {
		if _, again := records[key]; !again {
			records[key] = value
		}
	}
	i.PAXRecords = records
	return i
}

// withAttributes is the entry with another's owner, mode, time and xattrs.
func (i Entry) withAttributes(of Entry) Entry {
	i.Uid, i.Gid, i.Mode, i.ModTime, i.PAXRecords = of.Uid, of.Gid, of.Mode, of.ModTime, of.PAXRecords
	return i
}
