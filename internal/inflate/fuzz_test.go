package inflate

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxFuzzed keeps an input from taking long.
const maxFuzzed = 4 << 20

// FuzzReader reads any bytes: however they come, the same is in them, and a
// stream that ends well was read to its end.
func FuzzReader(f *testing.F) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte("what is inside")); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("plain"), false)
	f.Add(append(zipped.Bytes(), 0, 0), false)
	f.Add(encoder.EncodeAll([]byte("what is inside"), []byte{0x5a, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'}), true)
	for _, digits := range []string{xzWhole, xzBlocks, bzip2Whole} {
		data, err := hex.DecodeString(digits)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, archive bool) {
		o := Options{Archive: archive, Sync: true}
		stream := bufio.NewReaderSize(bytes.NewReader(data), BufferSize)
		got, compressed, err := readSome(t, stream, o)
		if !compressed && err == nil && !bytes.Equal(got, data) {
			t.Errorf("%d bytes that are not compressed are read as %d", len(data), len(got))
		}
		if n := stream.Buffered(); err == nil && len(got) < maxFuzzed && n > 0 {
			t.Errorf("%d bytes are left", n)
		}
		o.Sync = false
		again, _, other := readSome(t, iotest.HalfReader(bytes.NewReader(data)), o)
		if (err == nil) != (other == nil) || err == nil && !bytes.Equal(got, again) {
			t.Errorf("%d bytes and %v, then %d bytes and %v", len(got), err, len(again), other)
		}
	})
}

// readSome reads a stream to its end or to maxFuzzed bytes.
func readSome(t *testing.T, stream io.Reader, o Options) (got []byte, compressed bool, err error) {
	t.Helper()
	r, err := NewReader(stream, o)
	if err != nil {
		return nil, true, err
	}
	got, err = io.ReadAll(io.LimitReader(r, maxFuzzed))
	if closing := r.Close(); closing != nil && err == nil {
		t.Errorf("closing: %v", closing)
	}
	return got, r.Compressed(), err
}
