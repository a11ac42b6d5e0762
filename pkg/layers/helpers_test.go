package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/randomimage"
)

var (
	// entryTime is every entry's time that names no other; listings leave it out.
	entryTime = time.Unix(1_600_000_000, 0)
	// impliedTime is what the tests give as Options.Implied.
	impliedTime = randomimage.Created
)

// item is one entry of a layer's tar.
type item struct {
	tar.Header
	body string
}

func (i item) xattr(name, value string) item { return i.pax(xattrRecord+name, value) }

func (i item) pax(key, value string) item {
	records := maps.Clone(i.PAXRecords)
	if records == nil {
		records = map[string]string{}
	}
	records[key] = value
	i.PAXRecords = records
	return i
}

func (i item) own(uid, gid int) item { i.Uid, i.Gid = uid, gid; return i }
func (i item) at(sec, nsec int64) item {
	i.ModTime = time.Unix(sec, nsec)
	return i
}

func entry(kind byte, name string, mode int64) item {
	return item{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: entryTime, Format: tar.FormatPAX}}
}

func dir(name string, mode int64) item { return entry(tar.TypeDir, name+"/", mode) }
func fifo(name string) item            { return entry(tar.TypeFifo, name, 0o600) }
func opaque(name string) item          { return file(name+"/.wh..wh..opq", "") }

func file(name, body string) item {
	i := entry(tar.TypeReg, name, 0o644)
	i.Size, i.body = int64(len(body)), body
	return i
}

func link(name, target string) item {
	i := entry(tar.TypeLink, name, 0o644)
	i.Linkname = target
	return i
}

func symlink(name, target string) item {
	i := entry(tar.TypeSymlink, name, 0o777)
	i.Linkname = target
	return i
}

func globalHeader(name string) item {
	return item{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: name, PAXRecords: map[string]string{"mtime": "1", "comment": "c"}}}
}

func device(name string, major, minor int64) item {
	i := entry(tar.TypeChar, name, 0o600)
	i.Devmajor, i.Devminor = major, minor
	return i
}

type layer []item

// tar gives the layer's bytes.
func (l layer) tar() []byte {
	content, err := l.shared().Tar()
	if err != nil {
		panic(err)
	}
	return content
}

// shared is the layer as the generator of random images has it.
func (l layer) shared() (out randomimage.Layer) {
	for _, i := range l {
		out = append(out, randomimage.Entry{Header: i.Header, Body: i.body})
	}
	return out
}

// memoryBlob is a blob that says whether it was closed.
type memoryBlob struct {
	*bytes.Reader
	open *int
}

func (b memoryBlob) Close() error {
	*b.open--
	return nil
}

// store makes layers of bytes and counts the blobs that are open.
type store struct{ open int }

func (s *store) layer(content, blob []byte) Layer {
	return Layer{
		Descriptor: ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer, Digest: digest.FromBytes(blob), Size: int64(len(blob))},
		DiffID:     digest.FromBytes(content),
		Open: func(context.Context) (Blob, error) {
			s.open++
			return memoryBlob{bytes.NewReader(blob), &s.open}, nil
		},
	}
}

// image gives the layers uncompressed and in place, gzipped and by zstd, in turns.
func (s *store) image(tars ...[]byte) []Layer {
	var layers []Layer
	for i, content := range tars {
		blob := content
		switch i % 3 {
		case 1:
			blob = gzipped(content)
		case 2:
			blob = zstandard(content)
		}
		l := s.layer(content, blob)
		l.InPlace = true
		layers = append(layers, l)
	}
	return layers
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// encoder is made once: it takes longer than to encode a small layer.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return w
})

func zstandard(b []byte) []byte { return encoder().EncodeAll(b, nil) }

func tarsOf(layers []layer) [][]byte {
	var tars [][]byte
	for _, l := range layers {
		tars = append(tars, l.tar())
	}
	return tars
}

// openImage merges layers with one worker, since the blobs' counter is plain.
func openImage(tb testing.TB, o Options, tars ...[]byte) (*Tree, error) {
	tb.Helper()
	s := new(store)
	o.SpoolDir, o.Workers = tb.TempDir(), 1
	if o.Implied.IsZero() {
		o.Implied = impliedTime
	}
	tree, err := Open(tb.Context(), s.image(tars...), o)
	if err != nil {
		if s.open != 0 {
			tb.Errorf("%d blobs are open after the error %v", s.open, err)
		}
		return nil, err
	}
	tb.Cleanup(func() {
		if err := tree.Close(); err != nil || s.open != 0 {
			tb.Errorf("closing: %v, %d blobs are open", err, s.open)
		}
	})
	return tree, nil
}

// mustList merges layers and lists the tree.
func mustList(t *testing.T, layers ...layer) string {
	t.Helper()
	tree, err := openImage(t, Options{}, tarsOf(layers)...)
	if err != nil {
		t.Fatal(err)
	}
	return list(t, tree)
}

// closing closes what a test has read.
func closing(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
