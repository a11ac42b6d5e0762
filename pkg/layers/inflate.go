package layers

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// blobBuffer is how much of a blob is read and hashed at a time.
	blobBuffer = 256 << 10
	// maxZstdWindow is what zstd itself accepts unless told (RFC 8878, 3.1.1.1.2
	// lets a decoder refuse more): a frame's header alone asks for that memory.
	maxZstdWindow = 128 << 20
)

// blobStream is a layer's blob on its way to an uncompressed tar.
type blobStream struct {
	in   *bufio.Reader
	tar  io.Reader
	zstd *zstd.Decoder
}

// failing is a stream that could not be begun.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// newBlobStream detects the compression by the first bytes, as containerd does
// for the media types of compressed layers; some registries' images lie in
// theirs, and a tar can begin with none of these bytes.
func newBlobStream(raw io.Reader) *blobStream {
	s := &blobStream{in: bufio.NewReaderSize(raw, blobBuffer)}
	magic, err := s.in.Peek(4) // fewer where the blob is shorter
	switch {
	case err != nil && !errors.Is(err, io.EOF):
	case isGzip(magic):
		s.tar, err = gzip.NewReader(s.in)
	case isZstd(magic):
		s.zstd, err = zstd.NewReader(s.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		s.tar = s.zstd
	default:
		s.tar, err = s.in, nil
	}
	if err != nil {
		// It is said when the stream is read, after the digests.
		s.tar = failing{err}
	}
	return s
}

func isGzip(b []byte) bool { return bytes.HasPrefix(b, []byte{0x1f, 0x8b, 8}) }

// isZstd knows frames and skippable frames (RFC 8878, 3.1.1 and 3.1.2).
func isZstd(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	return bytes.Equal(b[:4], []byte{0x28, 0xb5, 0x2f, 0xfd}) || (b[0]&0xf0 == 0x50 && bytes.Equal(b[1:4], []byte{0x2a, 0x4d, 0x18}))
}

// compressed reports whether the tar is not the blob itself.
func (s *blobStream) compressed() bool { return s.tar != io.Reader(s.in) }

// finish reads what is left of the blob, so that its digest is whole, and gives
// the reason why the tar ended: io.EOF where that is as it should be.
func (s *blobStream) finish(end error) error {
	n, err := io.Copy(io.Discard, s.in)
	switch {
	case !errors.Is(end, io.EOF):
		return end
	case err != nil:
		return err
	case n > 0:
		return errTrailing
	}
	return io.EOF
}

func (s *blobStream) close() {
	if s.zstd != nil {
		s.zstd.Close()
	}
}
