package inflate

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow is what zstd itself accepts unless told (RFC 8878, 3.1.1.1.2 lets
// a decoder refuse more): a frame's header alone asks for that memory. pkg/layers
// has the same.
const maxZstdWindow = 128 << 20

// ErrTrailing is a stream that goes on after its compressed part.
var ErrTrailing = errors.New("trailing garbage after the compressed stream")

// NewReader gives what is in a stream's wrapping: gzip, zstd or none. It
// starts no program: containerd's own way runs unpigz where there is one,
// whose errors do not tell an archive that is cut off from one that is broken.
// The caller closes it, and the stream itself. After gzip there may be zeros
// where padded says so: tar pads what it writes to a device.
func NewReader(stream io.Reader, padded bool) (io.ReadCloser, error) {
	const longestMagic = 4
	buffered := bufio.NewReaderSize(stream, 256<<10)
	start, err := buffered.Peek(longestMagic)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch wrappingOf(start) {
	case gzipped:
		return newGunzip(buffered, padded)
	case zstandard:
		decoder, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, err
		}
		return unzstd{decoder.IOReadCloser()}, nil
	}
	return io.NopCloser(buffered), nil
}

// unzstd reads zstd frames until the stream ends.
type unzstd struct{ io.ReadCloser }

func (u unzstd) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if errors.Is(err, zstd.ErrMagicMismatch) {
		err = ErrTrailing // the first frame's was read before
	}
	return n, err
}

// gunzip reads the members of a gzip file (RFC 1952, 2.2) one after another.
type gunzip struct {
	*gzip.Reader
	stream *bufio.Reader
	padded bool
}

func newGunzip(stream *bufio.Reader, padded bool) (*gunzip, error) {
	member, err := gzip.NewReader(stream)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gunzip{member, stream, padded}, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	for {
		n, err := g.Reader.Read(p)
		if n > 0 && errors.Is(err, io.EOF) {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// next goes on to the next member; io.EOF says that there is none.
func (g *gunzip) next() error {
	start, err := g.stream.Peek(2)
	switch {
	case len(start) == 0:
		return err
	case wrappingOf(start) != gzipped:
		return g.end()
	}
	if err := g.Reset(g.stream); err != nil {
		return err
	}
	g.Multistream(false)
	return nil
}

// end reads what follows the last member.
func (g *gunzip) end() error {
	for {
		b, err := g.stream.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 || !g.padded {
			return ErrTrailing
		}
	}
}

// IsPlain says whether a file is not compressed, as far as its start shows.
func IsPlain(file io.ReaderAt) (bool, error) {
	start := make([]byte, 4)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return wrappingOf(start[:n]) == plain, nil
}

// wrapping is what the start of a stream shows.
type wrapping int

const (
	plain wrapping = iota
	gzipped
	zstandard
)

// wrappingOf knows gzip (RFC 1952, 2.3.1), and zstd with a frame or a
// skippable frame, which some writers put first (RFC 8878, 3.1).
func wrappingOf(start []byte) wrapping {
	skippable := len(start) == 4 && start[0]&0xf0 == 0x50 && bytes.Equal(start[1:], []byte{0x2a, 0x4d, 0x18})
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}), skippable:
		return zstandard
	}
	return plain
}
