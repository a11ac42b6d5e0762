package erofs

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the listings in testdata")

// images are those of testdata/make, which says how each was made, with the
// listing that each has.
var images = map[string]string{
	"inline": "tree.txt", "chunks": "tree.txt", "indexes": "tree.txt", "room": "tree.txt", "packed": "tree.txt",
	"default-1.5": "tree.txt", "chunks-1.5": "tree.txt",
	// This form holds no fractions of seconds and no times before 1970.
	"wide": "wide.txt", "wide-chunks": "wide.txt",
}

// TestImages reads all that mkfs.erofs put into an image.
func TestImages(t *testing.T) {
	for name, listing := range images {
		t.Run(name, func(t *testing.T) {
			got, err := list(load(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if *update && (name == "inline" || name == "wide") {
				if err := os.WriteFile("testdata/"+listing, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile("testdata/" + listing)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("wrong listing:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestUnsupported names what of an image is not read.
func TestUnsupported(t *testing.T) {
	for name, want := range map[string]struct {
		said       string
		compressed bool
	}{
		"lz4":       {"compressed files (lz4)", true},
		"lzma-zstd": {"compressed files (lzma, zstd)", true},
		"fragments": {"compressed files (deflate)", true},
		"metabox":   {"its metadata in an inode (metabox)", false},
		"device":    {"data on other devices", false},
	} {
		_, err := list(load(t, name))
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.HasPrefix(unsupported.What, want.said) || unsupported.Compressed != want.compressed {
			t.Errorf("%s: %v, want %s", name, err, want.said)
		}
	}
}

// load gives the bytes of an image of testdata.
func load(tb testing.TB, name string) []byte {
	tb.Helper()
	packed, err := os.ReadFile("testdata/" + name + ".erofs.gz")
	if err != nil {
		tb.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// lister writes a line for each name of a filesystem.
type lister struct {
	image *Image
	out   strings.Builder
	// names are the first of each inode, left how many may still come, and bytes
	// of files.
	names           map[uint64]string
	left, bytesLeft int64
}

// list reads everything in an image, of at most 1,000 names and 1 MiB.
func list(b []byte) (string, error) {
	image, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return "", err
	}
	l := &lister{image: image, names: map[uint64]string{}, left: 1000, bytesLeft: 1 << 20}
	err = l.add(image.Root(), ".")
	return l.out.String(), err
}

func (l *lister) add(nid uint64, path string) error {
	if l.left--; l.left < 0 {
		return errors.New("too many names")
	}
	if first, again := l.names[nid]; again {
		fmt.Fprintf(&l.out, "%q is %q\n", path, first)
		return nil
	}
	l.names[nid] = path
	i, err := l.image.Inode(nid)
	if err != nil {
		return err
	}
	if i.Mode&TypeMask == TypeRegular {
		if err := i.Verify(context.Background()); err != nil {
			return fmt.Errorf("verifying %q: %w", path, err)
		}
		if l.bytesLeft -= i.Size; l.bytesLeft < 0 {
			return fmt.Errorf("%d bytes are more than a test's", i.Size)
		}
	}
	line, err := describe(i)
	if err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	fmt.Fprintf(&l.out, "%q %s\n", path, line)
	if i.Mode&TypeMask != TypeDir {
		return nil
	}
	var below []Dirent
	err = i.ReadDir(func(d Dirent) error {
		below = append(below, d)
		return nil
	})
	for _, d := range below {
		if err == nil {
			err = l.add(d.Nid, path+"/"+d.Name)
		}
	}
	return err
}

// describe gives what an inode has besides names.
func describe(i *Inode) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "%07o %d:%d %d links %d.%09d", i.Mode, i.UID, i.GID, i.Links, i.Seconds, i.Nanos)
	switch i.Mode & TypeMask {
	case TypeRegular:
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(i, 0, i.Size)); err != nil {
			return "", err
		}
		fmt.Fprintf(&out, " %d bytes %.8x", i.Size, h.Sum(nil))
	case TypeSymlink:
		target, err := i.Target(4095)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, " to %q", target)
	case TypeChar, TypeBlock:
		fmt.Fprintf(&out, " %d:%d", i.Major, i.Minor)
	}
	var attrs []string
	err := i.Xattrs(func(x Xattr) error {
		value, err := x.Value()
		attrs = append(attrs, fmt.Sprintf(" %s=%q", x.Name, value))
		return err
	})
	slices.Sort(attrs)
	return out.String() + strings.Join(attrs, ""), err
}

// TestReadAt reads parts of a file, at any offset, over what a buffer had before.
func TestReadAt(t *testing.T) {
	for name := range images {
		p := patched{t, load(t, name)}
		for _, path := range []string{"holes", "only-holes", "large", "inline"} {
			i := p.find(path)
			whole, err := io.ReadAll(io.NewSectionReader(i, 0, i.Size))
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				from := random.IntN(len(whole))
				size := random.IntN(len(whole) + 100 - from)
				got, want := bytes.Repeat([]byte("x"), size), whole[from:min(from+size, len(whole))]
				n, err := i.ReadAt(got, int64(from))
				if short := n < size; !bytes.Equal(got[:n], want) || short != errors.Is(err, io.EOF) || !short && err != nil {
					t.Fatalf("%s, %s: %d bytes at %d: %d bytes, error %v", name, path, size, from, n, err)
				}
			}
		}
		if _, err := p.find("large").ReadAt(make([]byte, 1), -1); err == nil {
			t.Errorf("%s: reading at -1: no error", name)
		}
	}
}
