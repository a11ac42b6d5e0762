package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decompressed gives what is in an archive's wrapping: gzip, zstd or none. It
// starts no program: containerd's own way runs unpigz where there is one,
// whose errors do not tell an archive that is cut off from one that is broken.
// The caller closes it, and the archive itself.
func decompressed(archive io.Reader) (io.ReadCloser, error) {
	const longestMagic = 4
	buffered := bufio.NewReaderSize(archive, 256<<10)
	start, err := buffered.Peek(longestMagic)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch wrappingOf(start) {
	case gzipped:
		return gzip.NewReader(buffered)
	case zstandard:
		decoder, err := zstd.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
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

// cancellable is a stream that ends with ctx, whose end a read of standard
// input that stands still would not see. The caller closes it.
func cancellable(ctx context.Context, stream io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(w, stream)
		w.CloseWithError(err)
		stop()
	}()
	return r
}
