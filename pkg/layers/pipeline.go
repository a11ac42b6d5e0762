package layers

import (
	"context"
	"io"
)

const (
	// chunkSize and chunkCount make up what one layer holds in memory.
	chunkSize  = 256 << 10
	chunkCount = 4
)

// chunk is a piece of a layer's tar, and why there is no more after it. ended
// says that the blob was read to its end, so that its digest counts.
type chunk struct {
	data  []byte
	err   error
	ended bool
}

// inflater reads a blob on a goroutine of its own, so that inflating overlaps
// hashing, spooling and indexing: most images have one layer that is larger
// than all others.
type inflater struct {
	full chan chunk
	free chan []byte
	done chan struct{}
	stop context.CancelFunc
}

func startInflater(ctx context.Context, s *blobStream) *inflater {
	ctx, cancel := context.WithCancel(ctx)
	f := &inflater{
		full: make(chan chunk, chunkCount+1), // and the news that it was stopped
		free: make(chan []byte, chunkCount),
		done: make(chan struct{}),
		stop: cancel,
	}
	for range chunkCount {
		f.free <- nil // made when it is needed: most layers are small
	}
	go f.run(ctx, s)
	return f
}

func (f *inflater) run(ctx context.Context, s *blobStream) {
	defer close(f.done)
	for {
		var buf []byte
		select {
		case buf = <-f.free:
		case <-ctx.Done():
			f.full <- chunk{err: context.Cause(ctx)}
			return
		}
		if buf == nil {
			buf = make([]byte, chunkSize)
		}
		n, err := fill(s.tar, buf)
		if err != nil {
			err = s.finish(err)
		}
		f.full <- chunk{buf[:n], err, err != nil}
		if err != nil {
			return
		}
	}
}

// fill reads until buf is full or the reader gives an error, which is returned
// as it is: io.ReadFull would make the end of a tar look like a cut blob.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var read int
		read, err = r.Read(buf[n:])
		n += read
	}
	return n, err
}

// close ends the goroutine and waits for it; nobody reads the blob after that.
func (f *inflater) close() {
	f.stop()
	<-f.done
}
