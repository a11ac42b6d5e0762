package layers

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// blobStream is a layer's blob on its way to an uncompressed tar.
type blobStream struct {
	in  *bufio.Reader
	tar *inflate.Reader
}

// failing is a stream that could not be begun.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// newBlobStream shares wide with the image's other layers.
func newBlobStream(raw io.Reader, wide *sync.Mutex) *blobStream {
	s := &blobStream{in: bufio.NewReaderSize(raw, inflate.BufferSize)}
	var err error
	if s.tar, err = inflate.NewReader(s.in, inflate.Options{Sync: true, Wide: wide}); err != nil {
		// It is said when the stream is read, after the digests.
		s.tar = &inflate.Reader{ReadCloser: io.NopCloser(failing{err})}
	}
	return s
}

// finish reads what is left of the blob, so that its digest is whole, and gives
// the reason why the tar ended: io.EOF where that is as it should be.
func (s *blobStream) finish(end error) error {
	_, err := io.Copy(io.Discard, s.in)
	if errors.Is(end, io.EOF) && err != nil {
		return err
	}
	return end
}
