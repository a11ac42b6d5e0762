package inflate

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/mikelolasagasti/xz"
)

const (
	// maxXzDictionary bounds the memory that a block's header alone asks for; xz's
	// own highest level, -9, uses 64 MiB.
	maxXzDictionary = 128 << 20
	// bzip2Continues is what compress/bzip2 reports where something else than
	// another bzip2 stream follows one.
	bzip2Continues = bzip2.StructuralError("bad magic value in continuation file")
)

// unxz reads xz streams until the input ends.
type unxz struct {
	streams *xz.Reader
	// began says that the first stream was recognised.
	began bool
}

func newUnxz(stream io.Reader) (*unxz, error) {
	streams, err := xz.NewReader(stream, maxXzDictionary)
	u := &unxz{streams: streams}
	if err != nil {
		return nil, u.explain(err)
	}
	u.began = true
	return u, nil
}

func (u *unxz) Read(p []byte) (int, error) {
	n, err := u.streams.Read(p)
	return n, u.explain(err)
}

// explain gives the errors of the other formats for what they say as well.
func (u *unxz) explain(err error) error {
	switch {
	case errors.Is(err, xz.ErrBuf): // the input ended inside a stream
		return io.ErrUnexpectedEOF
	case errors.Is(err, xz.ErrFormat) && u.began:
		return ErrTrailing
	case errors.Is(err, xz.ErrData), errors.Is(err, xz.ErrFormat):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case errors.Is(err, xz.ErrMemlimit):
		return &UnsupportedError{fmt.Sprintf("xz with a dictionary of more than %d MiB", maxXzDictionary>>20)}
	case errors.Is(err, xz.ErrOptions), errors.Is(err, xz.ErrUnsupportedCheck):
		return &UnsupportedError{"xz with an unknown filter or check"}
	}
	return err
}

func (*unxz) Close() error { return nil }

// unbzip2 reads bzip2 streams until the input ends.
type unbzip2 struct {
	streams io.Reader
	input   *bufio.Reader
	// err is what ended the streams: compress/bzip2 would read on.
	err error
}

func newUnbzip2(stream *bufio.Reader) *unbzip2 {
	return &unbzip2{streams: bzip2.NewReader(stream), input: stream}
}

func (u *unbzip2) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.streams.Read(p)
	var structure bzip2.StructuralError
	switch {
	case errors.Is(err, bzip2Continues):
		err = afterLast(u.input)
	case errors.As(err, &structure):
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	u.err = err
	return n, err
}

func (*unbzip2) Close() error { return nil }
