package inflate

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Streams of xz and bzip2, made by their own programs.
const (
	xzWhole = "fd377a585a000004e6d6b4460200210116000000742fe5a301000d7768617420697320696e73696465" +
		"0000002189c6b8f2291ee50001260e081be0041fb6f37d010000000004595a"
	// xzBlocks has two blocks (xz --block-size=8), of which the second begins at xzSecond.
	xzBlocks = "fd377a585a000004e6d6b4460200210116000000742fe5a30100077768617420697320009d7d74f7d4a80b62" +
		"0200210116000000742fe5a3010005696e736964650000000a1a680e529ba6bb000220081e060000a9dc2a71b1c467fb020000000004595a"
	xzSecond = 44
	// xzWide wants a dictionary of 256 MiB, xzFiltered is of machine code (--x86).
	xzWide = "fd377a585a000004e6d6b44602002101200000000988a57601000d7768617420697320696e73696465" +
		"0000002189c6b8f2291ee50001260e081be0041fb6f37d010000000004595a"
	xzFiltered = "fd377a585a000004e6d6b44602010400210116000d86351f01000d7768617420697320696e73696465" +
		"0000002189c6b8f2291ee50001260e081be0041fb6f37d010000000004595a"
	xzEmpty    = "fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a"
	bzip2Whole = "425a6839314159265359bc918dfa0000069180400026610c8020002200c2100302810f846c34fc5dc914e14242f24637e8"
	bzip2Empty = "425a683917724538509000000000"
)

func TestArchiveWrappings(t *testing.T) {
	const text = "what is inside"
	bytesOf := func(digits string) []byte {
		t.Helper()
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	join := func(parts ...any) (all []byte) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				all = append(all, p...)
			case int:
				all = append(all, make([]byte, p)...)
			case []byte:
				all = append(all, p...)
			}
		}
		return all
	}
	damaged := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 0x40
		return data
	}
	x, blocks, b := bytesOf(xzWhole), bytesOf(xzBlocks), bytesOf(bzip2Whole)
	var unsupported *UnsupportedError
	for name, c := range map[string]struct {
		data []byte
		want string
		err  error // of ReadAll; unsupported stands for any of its kind
	}{
		"xz":                     {x, text, nil},
		"xz, blocks":             {blocks, text, nil},
		"xz, streams":            {join(x, x), text + text, nil},
		"xz, a stream, zeros":    {join(x, 512), text, nil},
		"xz, zeros in between":   {join(x, 4, x), text + text, nil},
		"xz, empty":              {bytesOf(xzEmpty), "", nil},
		"xz, machine code":       {bytesOf(xzFiltered), text, nil},
		"xz, a wide dictionary":  {bytesOf(xzWide), "", unsupported},
		"xz, a wide one later":   {join(x, bytesOf(xzWide)), "", unsupported},
		"xz, garbage":            {join(x, "garbage that is long"), "", ErrTrailing},
		"xz, odd zeros":          {join(x, 3), "", ErrDamaged},
		"xz, cut between blocks": {blocks[:xzSecond], "", io.ErrUnexpectedEOF},
		"xz, its header alone":   {x[:12], "", io.ErrUnexpectedEOF},
		"xz, half a header":      {x[:10], "", io.ErrUnexpectedEOF},
		"xz, cut in its index":   {x[:len(x)-14], "", io.ErrUnexpectedEOF},
		"xz, cut at its end":     {x[:len(x)-1], "", io.ErrUnexpectedEOF},
		"xz, a second cut":       {join(x, x[:20]), "", io.ErrUnexpectedEOF},
		"xz, another text":       {damaged(x, 28), "", ErrDamaged},
		"xz, another index":      {damaged(x, len(x)-14), "", ErrDamaged},
		"bzip2":                  {b, text, nil},
		"bzip2, streams":         {join(b, b), text + text, nil},
		"bzip2, empty":           {bytesOf(bzip2Empty), "", nil},
		"bzip2, zeros":           {join(b, 512), text, nil},
		"bzip2, garbage":         {join(b, "garbage"), "", ErrTrailing},
		"bzip2, zeros, garbage":  {join(b, 512, "garbage"), "", ErrTrailing},
		"bzip2, cut":             {b[:len(b)-3], "", io.ErrUnexpectedEOF},
		"bzip2, half":            {b[:20], "", io.ErrUnexpectedEOF},
		"bzip2, another text":    {damaged(b, 40), "", ErrDamaged},
		"bzip2, another sum":     {damaged(b, 12), "", ErrDamaged},
		"a name that begins so":  {[]byte("BZh91AY&S.tar"), "BZh91AY&S.tar", nil},
		"an xz that is none":     {[]byte("\xfd7zXZ."), "\xfd7zXZ.", nil},
	} {
		for _, stream := range []io.Reader{bytes.NewReader(c.data), iotest.OneByteReader(bytes.NewReader(c.data))} {
			var got []byte
			r, err := NewReader(stream, Options{Archive: true})
			if err == nil {
				got, err = io.ReadAll(r)
				if n, again := r.Read(make([]byte, 9)); n > 0 || err == nil && !errors.Is(again, io.EOF) || err != nil && again == nil {
					t.Errorf("%s: read after %v: %d, %v", name, err, n, again)
				}
			}
			fits := errors.Is(err, c.err)
			if c.err == error(unsupported) {
				fits = errors.As(err, new(*UnsupportedError))
			}
			if !fits || c.err == nil && string(got) != c.want {
				t.Errorf("%s: %q and %v, want %q and %v", name, got, err, c.want, c.err)
			}
		}
	}
}

// TestLayersAreNotArchives reads xz and bzip2 as they are where no archive is read.
func TestLayersAreNotArchives(t *testing.T) {
	for _, digits := range []string{xzWhole, bzip2Whole} {
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(bytes.NewReader(data), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) || r.Compressed() {
			t.Errorf("%.12s...: %x, %v, compressed: %v", digits, got, err, r.Compressed())
		}
	}
}

// TestQuotaIsCharged charges what comes out of headers, too, whose sum would wrap.
func TestQuotaIsCharged(t *testing.T) {
	q := NewQuota(10)
	if _, err := io.ReadAll(q.Limit(strings.NewReader("1234"))); err != nil {
		t.Fatal(err)
	}
	if err := q.Add(6); err != nil {
		t.Errorf("the last 6 of 10: %v", err)
	}
	for _, n := range []int64{1, 1<<63 - 1, 0} {
		if err := q.Add(n); !errors.Is(err, ErrLimit) {
			t.Errorf("%d more: %v, want %v", n, err, ErrLimit)
		}
	}
	once := NewQuota(10)
	if err := errors.Join(once.Add(11), once.Add(0)); !errors.Is(err, ErrLimit) || once.Add(0) == nil {
		t.Errorf("0 more after 11 of 10: %v, want %v for good", err, ErrLimit)
	}
	if _, err := io.ReadAll(q.Limit(strings.NewReader("1"))); !errors.Is(err, ErrLimit) {
		t.Errorf("a stream beyond it: %v, want %v", err, ErrLimit)
	}
}
