package inflate

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestAhead(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), aheadSize/3)
	failure := errors.New("the stream breaks")
	for name, c := range map[string]struct {
		stream io.Reader
		err    error
	}{
		"whole":   {bytes.NewReader(want), nil},
		"in bits": {iotest.HalfReader(bytes.NewReader(want)), nil},
		"broken":  {io.MultiReader(bytes.NewReader(want), iotest.ErrReader(failure)), failure},
	} {
		a := Ahead(c.stream)
		got, err := io.ReadAll(a)
		if !bytes.Equal(got, want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("%s: closing: %v", name, err)
		}
	}
}

// TestAheadStops closes it while there is more: nobody reads the stream then.
func TestAheadStops(t *testing.T) {
	r := &endless{}
	a := Ahead(r)
	if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	r.closed = true // the race detector sees a read beside this
}

type endless struct{ closed bool }

func (e *endless) Read(p []byte) (int, error) {
	if e.closed {
		return 0, errors.New("read after it was closed")
	}
	return len(p), nil
}
