package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRefusedLayers is what no tree is made of, and what the error says.
func TestRefusedLayers(t *testing.T) {
	long, half := strings.Repeat("d/", maxPath/2+1), strings.Repeat("d", maxPath/2)
	for _, c := range []struct {
		name   string
		layers []layer
		want   string
	}{
		{"a whiteout of nothing", []layer{{file("d/.wh.", "")}}, `adding "d/.wh.": a whiteout of ""`},
		{"a whiteout of its directory", []layer{{file(".wh..", "")}}, `adding ".wh..": a whiteout of "."`},
		{"a whiteout of the directory above", []layer{{file("d/.wh...", "")}}, `adding "d/.wh...": a whiteout of ".."`},
		{"a link to nothing", []layer{{link("a", "b")}}, `merging layer 1 of 1: linking "a" to "b": there is no such file`},
		{"a link to itself", []layer{{file("a", "1"), link("a", "a")}}, `linking "a" to "a": that is a link to nothing`},
		{"links in a circle", []layer{{link("a", "b"), link("b", "a")}}, `linking "a" to "b": that is a link to nothing`},
		{"a link out of the root", []layer{{link("g", "../../etc/passwd")}}, `linking "g" to "etc/passwd": there is no such file`},
		{"a link to a directory", []layer{{dir("d", 0o755), link("a", "d")}}, `a hard link to the directory "d"`},
		{"a link to a lower directory", []layer{{dir("d", 0o755)}, {link("a", "d")}}, `there is no such file`},
		{"a link to the root", []layer{{link("a", "/")}}, `a hard link to the directory "/"`},
		{"a path below a file", []layer{{file("a", "1"), file("a/b", "2")}}, `adding "a/b": "a" is a regular file, not a directory`},
		{"a path below a symlink to a file", []layer{{file("a", "1"), symlink("s", "a"), file("s/b", "2")}}, `adding "s/b": "a" is a regular file, not a directory`},
		{"symlinks in a circle", []layer{{symlink("a", "b"), symlink("b", "a"), file("a/x", "")}}, `over 255 symlinks`},
		{"a path over the limit", []layer{{file(long+"f", "")}}, `over the limit of 8192 bytes for a path`},
		{"a path over the limit, by and by", []layer{{dir(half, 0o755), dir(half+"/"+half, 0o755), file(half+"/"+half+"/f", "")}}, `over the limit of 8192 bytes for a path`},
		{"an owner of -1", []layer{{gnu(file("a", "").own(-1, 0))}}, `adding "a": owner -1:0 is out of range`},
		{"an owner of 2^32-1", []layer{{file("a", "").own(0, 1<<32-1)}}, `owner 0:4294967295 is out of range`},
		{"a device of 2^32", []layer{{gnu(device("a", 1<<32, 0))}}, `device number 4294967296:0 is out of range`},
		{"an xattr without a name", []layer{{file("a", "").xattr("", "1")}}, `the xattr "" of 1 bytes is larger than Linux holds`},
		{"an xattr over 64 KiB", []layer{{file("a", "").xattr("user.a", strings.Repeat("x", 65537))}}, `the xattr "user.a" of 65537 bytes`},
		{"xattrs whose names are over 64 KiB", []layer{{manyXattrs(file("a", ""), 2_000), manyXattrs(link("b", "a"), 9_000)}}, `adding "b": the names of 9000 xattrs are more than Linux holds`},
		{"a symlink over 4095 bytes", []layer{{symlink("a", strings.Repeat("x", 4096))}}, `a symlink's target of 4096 bytes`},
		{"a type that is unknown", []layer{{entry('V', "volume", 0)}}, `entries of type 'V' are unknown`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openImage(t, Options{}, tarsOf(c.layers)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %s", err, c.want)
			}
		})
	}
}

// manyXattrs gives an entry n attributes with names of ten bytes.
func manyXattrs(i item, n int) item {
	i.PAXRecords = make(map[string]string, n)
	for at := range n {
		i.PAXRecords[fmt.Sprintf("%suser.%05d", xattrRecord, at)] = ""
	}
	return i
}

// gnu writes numbers in base 256.
func gnu(i item) item {
	i.Format = tar.FormatGNU
	return i
}

// TestCutTar cuts a tar in the middle of everything; the digests are those of
// what is left, so that only the tar itself is wrong.
func TestCutTar(t *testing.T) {
	whole := layer{dir("d", 0o755), file("d/f", strings.Repeat("x", 1300)).xattr("user.a", "1"), symlink("l", strings.Repeat("t", 300)), file("g", "y")}.tar()
	ends := map[int]bool{} // an archive may end between two entries
	r := &counter{Reader: bytes.NewReader(whole)}
	for tr, end := tar.NewReader(r), 0; ; {
		ends[(end+511)/512*512] = true
		h, err := tr.Next()
		if err != nil {
			break
		}
		end = r.n + int(h.Size)
		for pad := end; pad < (end+511)/512*512; pad++ {
			ends[pad] = true // and in the padding of its last body
		}
	}
	end := len(whole) - 1024
	for n := range len(whole) {
		if n%512 > 1 && n%97 != 0 {
			continue
		}
		_, err := openImage(t, Options{}, whole[:n])
		if ok := ends[n] || n == end+512; ok != (err == nil) {
			t.Errorf("cut at %d of %d (an end: %v): %v", n, len(whole), ok, err)
		}
	}
}

type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestLimits(t *testing.T) {
	many := layer{}
	for i := range 100 {
		many = append(many, file(fmt.Sprint("dir/", i), strings.Repeat("x", 1000)).xattr("user.a", strings.Repeat("y", 150)))
	}
	// A hundred files with two names each, below a long path that is said once.
	far := layer{dir(strings.Repeat("d", 1000), 0o755), symlink("s", strings.Repeat("d", 1000))}
	for i := range 100 {
		far = append(far, file(fmt.Sprint("s/f", i), ""), link(fmt.Sprint("s/g", i), fmt.Sprint("s/f", i)))
	}
	for _, c := range []struct {
		name    string
		layer   layer
		options Options
		want    string // empty where it is not over the limit
	}{
		{"entries", many, Options{MaxEntries: 100, MaxMetadata: 1 << 20}, "over the limit of 100 entries"},
		{"just enough entries", many, Options{MaxEntries: 101, MaxMetadata: 1 << 20}, ""},
		{"bytes", many, Options{MaxBytes: 100_000}, "over the limit of 100000 inflated bytes"},
		{"metadata by entries", many, Options{MaxEntries: 110}, "over the limit of 14080 bytes of names, targets and xattrs"},
		{"metadata", many, Options{MaxMetadata: 10_000}, "over the limit of 10000 bytes of names, targets and xattrs"},
		{"metadata of hard links", far, Options{MaxMetadata: 100_000}, "over the limit of 100000 bytes of names, targets and xattrs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openImage(t, c.options, c.layer.tar())
			if c.want == "" && err == nil {
				return
			}
			var limit *LimitError
			if !errors.As(err, &limit) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %s", err, c.want)
			}
		})
	}
}

// TestEndlessInflation: zstd writes a gigabyte of zeros as 32 KiB.
func TestEndlessInflation(t *testing.T) {
	var s store
	l := s.layer(nil, zstandard(make([]byte, 256<<20)))
	begin := time.Now()
	_, err := Open(t.Context(), []Layer{l}, Options{SpoolDir: t.TempDir(), MaxBytes: 1 << 20})
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Of != LimitBytes {
		t.Errorf("got error %v, want the limit", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestMissingSpoolFolder(t *testing.T) {
	var s store
	content := layer{file("f", "x")}.tar()
	_, err := Open(t.Context(), []Layer{s.layer(content, content)}, Options{SpoolDir: "/no/such/folder"})
	if err == nil || !strings.Contains(err.Error(), `using a spool file in "/no/such/folder": `) || s.open != 0 {
		t.Errorf("got error %v, %d blobs open", err, s.open)
	}
	l := s.layer(content, content)
	l.InPlace = true
	tree, err := Open(t.Context(), []Layer{l}, Options{SpoolDir: "/no/such/folder"})
	if err != nil {
		t.Fatalf("a layer that is read in place needs no spool: %v", err)
	}
	if err := tree.Close(); err != nil || s.open != 0 {
		t.Errorf("closing: %v, %d blobs open", err, s.open)
	}
}

// failingBlob fails to be read after some bytes, or waits.
type failingBlob struct {
	memoryBlob
	read func() error
}

func (b failingBlob) ReadAt(p []byte, off int64) (int, error) {
	if off > 0 {
		if err := b.read(); err != nil {
			return 0, err
		}
	}
	return b.memoryBlob.ReadAt(p, off)
}

func TestUnreadableBlob(t *testing.T) {
	var s store
	content := layer{file("f", strings.Repeat("x", 4<<20))}.tar()
	l := s.layer(content, content)
	l.Open = func(context.Context) (Blob, error) {
		s.open++
		return failingBlob{memoryBlob{bytes.NewReader(content), &s.open}, func() error { return syscall.EIO }}, nil
	}
	_, err := Open(t.Context(), []Layer{l}, Options{SpoolDir: t.TempDir()})
	if !errors.Is(err, syscall.EIO) || s.open != 0 {
		t.Errorf("got error %v, %d blobs open", err, s.open)
	}
	l.Open = func(context.Context) (Blob, error) { return nil, syscall.ENOENT }
	if _, err = Open(t.Context(), []Layer{l}, Options{}); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "opening the blob") {
		t.Errorf("got error %v", err)
	}
}

func TestCancel(t *testing.T) {
	var s store
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped by the test")
	content := layer{file("f", strings.Repeat("x", 64<<20))}.tar()
	l := s.layer(content, content)
	l.Open = func(context.Context) (Blob, error) {
		s.open++
		return failingBlob{memoryBlob{bytes.NewReader(content), &s.open}, func() error { cancel(stopped); return nil }}, nil
	}
	if _, err := Open(ctx, []Layer{l, l, l}, Options{SpoolDir: t.TempDir(), Workers: 1}); !errors.Is(err, stopped) || s.open != 0 {
		t.Errorf("got error %v, %d blobs open", err, s.open)
	}
}

// TestCancelWithoutReading stops where nothing is read any more: hostile names
// and many layers keep both busy for long.
func TestCancelWithoutReading(t *testing.T) {
	stopped := errors.New("stopped by the test")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	x := newIndex(0, newQuota(Options{}))
	s := &tarStream{quota: x.quota, from: startInflater(t.Context(), newBlobStream(bytes.NewReader(layer{file("f", "")}.tar()), nil))}
	defer s.from.close()
	if err := indexTar(ctx, s, x); !errors.Is(err, stopped) {
		t.Errorf("indexing: got error %v", err)
	}
	if _, err := mergeAll(ctx, []*index{x}); !errors.Is(err, stopped) {
		t.Errorf("merging: got error %v", err)
	}
}
