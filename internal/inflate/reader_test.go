package inflate

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestNewReader(t *testing.T) {
	const text = "what is inside"
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	frame := encoder.EncodeAll([]byte(text), nil)
	zeros := make([]byte, 700)
	// Frames without content that want windows of 512 MiB, and of 576 (RFC 8878, 3.1.1.1.2).
	wide, wider := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19 << 3, 1, 0, 0}, []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19<<3 | 1, 1, 0, 0}
	after := func(stream, more []byte) []byte { return append(bytes.Clone(stream), more...) }
	skipped := append([]byte{0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'x'}, frame...)
	for name, c := range map[string]struct {
		data []byte
		want string
		err  error
		sync bool
	}{
		"plain":                   {[]byte(text), text, nil, false},
		"short":                   {[]byte("a"), "a", nil, false},
		"empty":                   {nil, "", nil, false},
		"gzip":                    {zipped.Bytes(), text, nil, false},
		"two gzip":                {after(zipped.Bytes(), zipped.Bytes()), text + text, nil, false},
		"zstd":                    {frame, text, nil, false},
		"zstd, skippable":         {skipped, text, nil, false},
		"gzip, zeros":             {after(zipped.Bytes(), zeros), text, nil, false},
		"gzip, zeros, in sync":    {after(zipped.Bytes(), zeros), text, nil, true},
		"gzip, half a header":     {after(zipped.Bytes(), []byte{0x1f, 0x8b}), "", ErrTrailing, false},
		"gzip, a header cut":      {after(zipped.Bytes(), zipped.Bytes()[:5]), "", io.ErrUnexpectedEOF, false},
		"gzip's magic alone":      {[]byte{0x1f, 0x8b, 7}, "\x1f\x8b\x07", nil, false},
		"gzip, garbage":           {after(zipped.Bytes(), []byte("x")), "", ErrTrailing, false},
		"gzip, zeros, garbage":    {after(after(zipped.Bytes(), zeros), []byte("garbage that is long")), "", ErrTrailing, false},
		"zstd, garbage":           {after(frame, []byte("garbage")), "", ErrTrailing, false},
		"zstd, widest window":     {wide, "", nil, false},
		"zstd, wider window":      {wider, "", zstd.ErrWindowSizeExceeded, false},
		"zstd, later wide window": {after(frame, wide), text, nil, false},
		"zstd, later wider one":   {after(skipped, wider), "", zstd.ErrWindowSizeExceeded, false},
		"zstd, two skippable":     {after(skipped, skipped), text + text, nil, false},
		"zstd, skippable cut":     {skipped[:9], "", io.ErrUnexpectedEOF, false},
		"zstd, run length block":  {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, 3 | 5<<3, 0, 0, 'a'}, "aaaaa", nil, false},
		"zstd, zeros":             {after(frame, zeros), "", ErrTrailing, false},
		"gzip, zeros, gzip":       {after(after(zipped.Bytes(), zeros), zipped.Bytes()), "", ErrTrailing, false},
		"cut gzip":                {zipped.Bytes()[:zipped.Len()-3], "", io.ErrUnexpectedEOF, false},
		"cut zstd":                {frame[:len(frame)-3], "", io.ErrUnexpectedEOF, false},
	} {
		r, err := NewReader(bytes.NewReader(c.data), Options{Sync: c.sync})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(r)
		if !errors.Is(err, c.err) || c.err == nil && string(got) != c.want {
			t.Errorf("%s: %q and %v, want %q and %v", name, got, err, c.want, c.err)
		}
		if errors.Is(err, zstd.ErrWindowSizeExceeded) && !strings.Contains(err.Error(), "more than 512 MiB") {
			t.Errorf("%s: %v does not say how large a window may be", name, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: closing: %v", name, err)
		}
	}
}
