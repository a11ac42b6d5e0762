package inflate

import (
	"bufio"
	"errors"
	"io"
	"sync"
)

// aheadSize is how far a stream is read ahead.
const aheadSize = 256 << 10

// ahead reads a stream on a goroutine of its own, a buffer in front of its
// reader, so that inflating a layer and writing its files go on side by side.
type ahead struct {
	*bufio.Reader
	pipe *io.PipeReader
	over sync.WaitGroup
}

// Ahead gives a stream that is read on a goroutine of its own. The caller closes
// it before the stream itself.
func Ahead(stream io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	a := &ahead{Reader: bufio.NewReaderSize(r, aheadSize), pipe: r}
	a.over.Go(func() {
		buffered := bufio.NewWriterSize(w, aheadSize)
		_, err := io.Copy(buffered, stream)
		w.CloseWithError(errors.Join(err, buffered.Flush()))
	})
	return a
}

// Close returns when nobody reads the stream any more.
func (a *ahead) Close() error {
	err := a.pipe.Close()
	a.over.Wait()
	return err
}
