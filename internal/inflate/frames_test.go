package inflate

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestWideWindowsInTurn holds the turn from a stream's first wide window until the
// stream is closed, and for no other one.
func TestWideWindowsInTurn(t *testing.T) {
	encoded := func(size int, options ...zstd.EOption) []byte {
		t.Helper()
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, append(options, zstd.WithEncoderConcurrency(1))...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	narrow := encoded(1<<20, zstd.WithWindowSize(8<<20))
	wide := encoded(1<<20, zstd.WithWindowSize(16<<20))
	skippable := []byte{0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}
	noChecksum := encoded(1<<20, zstd.WithWindowSize(16<<20), zstd.WithEncoderCRC(false))
	// One segment of 9 MiB (RFC 8878, 3.1.1.1.1.2), of which nothing comes.
	single := []byte{0x28, 0xb5, 0x2f, 0xfd, 2<<6 | 1<<5, 0, 0, 0x90, 0}
	for name, c := range map[string]struct {
		stream []byte
		held   bool
	}{
		"narrow":                   {narrow, false},
		"narrow, twice":            {append(bytes.Clone(narrow), narrow...), false},
		"wide":                     {wide, true},
		"wide, no checksum":        {noChecksum, true},
		"wide behind skippable":    {append(bytes.Clone(skippable), wide...), true},
		"wide behind narrow":       {append(bytes.Clone(narrow), wide...), true},
		"wide, then narrow":        {append(bytes.Clone(wide), narrow...), true},
		"wide behind no checksum":  {append(bytes.Clone(noChecksum), wide...), true},
		"one segment, and cut off": {single, true},
	} {
		for _, sync := range []bool{false, true} {
			if held := heldBy(t, c.stream, sync); held != c.held {
				t.Errorf("%s, sync %v: the turn is held: %v, want %v", name, sync, held, c.held)
			}
		}
	}
}

// heldBy reads a stream, and says whether it held its turn at its end.
func heldBy(t *testing.T, stream []byte, inSync bool) (held bool) {
	t.Helper()
	var turn sync.Mutex
	r, err := NewReader(bytes.NewReader(stream), Options{Sync: inSync, Wide: &turn})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r) // what is cut off is no matter here
	if held = !turn.TryLock(); !held {
		turn.Unlock()
	}
	if closing := r.Close(); closing != nil {
		t.Errorf("closing after %v: %v", err, closing)
	}
	if !turn.TryLock() {
		t.Errorf("the turn is held after the stream was closed")
	}
	return held
}
