package main

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// tree is what a tar holds: a line for each name. Times are left out below the
// second, which some formats cannot hold, and a hard link is told by what it
// links to, since tools differ in which name comes first.
type tree map[string]string

func readTree(name string) (tree, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := make(tree)
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", name, err)
		}
		if err := t.add(h, r); err != nil {
			return nil, fmt.Errorf("reading %q of %q: %w", h.Name, name, err)
		}
	}
}

func (t tree) add(h *tar.Header, body io.Reader) error {
	path := cleaned(h.Name)
	if path == "" || path == "." {
		return nil // the root, which no view knows
	}
	if h.Typeflag == tar.TypeLink {
		t[path] = t[cleaned(h.Linkname)]
		return nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, body); err != nil {
		return err
	}
	modified := ""
	if h.Typeflag != tar.TypeDir { // of a directory that no layer names it is the time of unpacking
		modified = h.ModTime.Truncate(0).UTC().Format("2006-01-02T15:04:05")
	}
	t[path] = fmt.Sprintf("%c %04o %d:%d %d %s %s %x", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Size, modified, h.Linkname, hash.Sum(nil)[:8])
	return nil
}

func cleaned(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/"), "/")
}

// verdict says how got differs from t.
func (t tree) verdict(got tree) string {
	var lost, changed, added int
	example := ""
	for path, want := range t {
		have, ok := got[path]
		switch {
		case !ok:
			lost++
		case have != want:
			changed++
		default:
			continue
		}
		if example == "" || path < example {
			example = path
		}
	}
	for path := range got {
		if _, ok := t[path]; !ok {
			added++
			if example == "" {
				example = path
			}
		}
	}
	if lost+changed+added == 0 {
		return "right"
	}
	return fmt.Sprintf("%d lost, %d changed, %d added (`%s`)", lost, changed, added, example)
}

// printVerdict compares two tars and prints how many names the first has, and
// the verdict. It is a process of its own: a process begins with its parent's
// peak of memory (getrusage(2)), which this would raise.
func printVerdict(whole, out string) error {
	want, err := readTree(whole)
	if err != nil {
		return err
	}
	got, err := readTree(out)
	if err != nil {
		return err
	}
	fmt.Printf("%d %s\n", len(want), want.verdict(got))
	return nil
}
