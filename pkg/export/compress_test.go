package export_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

func compress(t *testing.T, c export.Compression, data []byte, chunk int, abort bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := c.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		n := min(chunk, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	end := w.Close
	if abort {
		end = w.Abort
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decompress(format string, data []byte) ([]byte, error) {
	if format == "gzip" {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	r, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// testData is compressible, and longer than two frames and a bit.
func testData(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, size)
	for i := range data {
		data[i] = "abcdefgh\n"[r.IntN(9)]
	}
	return data
}

func TestCompressionIsDeterministic(t *testing.T) {
	data := testData(17 << 20)
	for _, c := range []export.Compression{{Format: "gzip", Level: 1}, {Format: "zstd"}} {
		want := compress(t, c, data, 1<<20, false)
		got, err := decompress(c.Format, want)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: reading back: %d bytes, %v", c, len(got), err)
		}
		cores := runtime.GOMAXPROCS(1)
		one := compress(t, c, data, 777_777, false)
		runtime.GOMAXPROCS(cores)
		if !bytes.Equal(one, want) {
			t.Errorf("%s: one core and other writes give other bytes", c)
		}
	}
}

func TestEmptyStreams(t *testing.T) {
	for _, format := range []string{"gzip", "zstd"} {
		data := compress(t, export.Compression{Format: format}, nil, 1, false)
		if got, err := decompress(format, data); err != nil || len(got) != 0 || len(data) == 0 {
			t.Errorf("%s of nothing: %d bytes, %v", format, len(data), err)
		}
	}
}

func TestAbortedStreamIsNoStream(t *testing.T) {
	data := testData(16 << 20) // a whole number of frames and of blocks
	for _, format := range []string{"gzip", "zstd"} {
		for _, size := range []int{0, 10, 8 << 20, len(data)} {
			stream := compress(t, export.Compression{Format: format}, data[:size], 1<<20, true)
			if len(stream) == 0 {
				continue // nothing is neither a gzip nor a zstd stream: their tools say so
			}
			if _, err := decompress(format, stream); err == nil {
				t.Errorf("%s aborted after %d bytes passes for whole", format, size)
			}
		}
	}
}

func TestParseCompression(t *testing.T) {
	for in, want := range map[string]string{
		"none": "none", "gzip": "gzip", "gzip:9": "gzip:9", "zstd": "zstd", "zstd:19": "zstd:19",
		"": "", "none:1": "", "gzip:10": "", "gzip:": "", "zstd:0": "", "xz": "", "zstd:x": "",
	} {
		c, err := export.ParseCompression(in)
		if (err != nil) != (want == "") || err == nil && c.String() != want {
			t.Errorf("ParseCompression(%q) = %q, %v; want %q", in, c, err, want)
		}
	}
	for name, want := range map[string]string{"a.tar.gz": "gzip", "a.tgz": "gzip", "a.tar.zst": "zstd", "a.tar": "none", "gz": "none", "-": "none",
		"o.gz": "gzip", "o.ZST": "zstd", "o.tar.zstd": "zstd", "o.zip": "", "o.7z": "", "gz/o": "none", "A.TAR.GZ": "gzip", "a.Tgz": "gzip", "a.TZST": "zstd", "a.tar.bz2": "", "a.XZ": "", "a.tbz2": ""} {
		got, err := export.CompressionFor(name)
		if refused := want == ""; err != nil != refused || !refused && got.String() != want {
			t.Errorf("CompressionFor(%q) = %s, %v, want %q", name, got, err, want)
		}
	}
}

// TestAbortBeforeAnyByte: bsdtar takes an empty stream for an empty archive.
func TestAbortBeforeAnyByte(t *testing.T) {
	for _, text := range []string{"none", "gzip", "zstd"} {
		c, err := export.ParseCompression(text)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		sink, err := export.NewCompressedTar(&out, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := sink.Abort(); err != nil {
			t.Errorf("%s: Abort: %v", text, err)
		}
		if out.Len() == 0 {
			t.Errorf("%s: nothing was written", text)
		}
	}
}
