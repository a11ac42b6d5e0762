package inflate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// BufferSize is how much of a stream is read at a time.
	BufferSize = 256 << 10
	// longestMagic is how many bytes tell a wrapping.
	longestMagic = 4
)

// ErrTrailing is a stream that goes on after its compressed part.
var ErrTrailing = errors.New("trailing garbage after the compressed stream")

// Options says how a stream is read.
type Options struct {
	// Sync reads the stream only while the Reader is read: zstd is decoded on no
	// goroutines of its own.
	Sync bool
	// Wide is shared by streams that are read side by side: of those with zstd
	// windows over 8 MiB, which may be up to 512 MiB of memory each, one at a time
	// is decoded, and the others wait until it is closed. nil for a stream alone.
	Wide *sync.Mutex
}

// Reader is what is in a stream's wrapping.
type Reader struct {
	io.ReadCloser
	compressed bool
}

// Compressed says that the stream has a wrapping.
func (r *Reader) Compressed() bool { return r.compressed }

// NewReader gives what is in a stream's wrapping, which its first bytes tell:
// gzip, zstd or none. A media type does not tell it: some registries' images are
// wrapped otherwise than theirs says, and a tar begins with none of these bytes.
// It starts no program: containerd's own way runs unpigz where there is one,
// whose errors do not tell an archive that is cut off from one that is broken.
// The caller closes it, and the stream itself. A bufio.Reader of BufferSize is
// read as it is, and to its end where the Reader ends well.
func NewReader(stream io.Reader, o Options) (*Reader, error) {
	buffered := bufio.NewReaderSize(stream, BufferSize)
	start, err := buffered.Peek(longestMagic) // fewer where the stream is shorter
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var inside io.ReadCloser
	switch wrappingOf(start) {
	case gzipped:
		inside, err = newGunzip(buffered)
	case zstandard:
		inside, err = newUnzstd(buffered, o)
	case plain:
		return &Reader{io.NopCloser(buffered), false}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Reader{inside, true}, nil
}

func newUnzstd(stream *bufio.Reader, o Options) (*unzstd, error) {
	options := []zstd.DOption{zstd.WithDecoderMaxWindow(maxWindow)}
	if o.Sync {
		options = append(options, zstd.WithDecoderConcurrency(1))
	}
	f := &frames{in: stream, turn: o.Wide}
	decoder, err := zstd.NewReader(f, options...)
	if err != nil {
		f.release()
		return nil, err
	}
	return &unzstd{decoder.IOReadCloser(), f}, nil
}

// unzstd reads zstd frames until the stream ends.
type unzstd struct {
	io.ReadCloser
	frames *frames
}

// Close gives the window back before another stream has its turn.
func (u *unzstd) Close() error {
	err := u.ReadCloser.Close()
	u.ReadCloser = io.NopCloser(bytes.NewReader(nil)) // the decoder holds its window until it is collected
	u.frames.release()
	return err
}

func (u *unzstd) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if errors.Is(err, zstd.ErrMagicMismatch) {
		err = ErrTrailing // the first frame's was read before
	}
	return n, err
}

// gunzip reads the members of a gzip file (RFC 1952, 2.2) one after another. Zeros
// may follow them, as gzip(1) and pigz let them: some tools pad what they write.
type gunzip struct {
	member *gzip.Reader // whose WriteTo would end with it
	stream *bufio.Reader
}

func newGunzip(stream *bufio.Reader) (*gunzip, error) {
	member, err := gzip.NewReader(stream)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gunzip{member, stream}, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	for {
		n, err := g.member.Read(p)
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
	start, err := g.stream.Peek(longestMagic)
	switch {
	case len(start) == 0:
		return err
	case wrappingOf(start) != gzipped:
		return g.end()
	}
	if err := g.member.Reset(g.stream); err != nil {
		return err
	}
	g.member.Multistream(false)
	return nil
}

func (g *gunzip) Close() error { return g.member.Close() }

// end reads what follows the last member.
func (g *gunzip) end() error {
	for {
		b, err := g.stream.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return ErrTrailing
		}
	}
}

// IsPlain says whether a file is not compressed, as far as its start shows.
func IsPlain(file io.ReaderAt) (bool, error) {
	start := make([]byte, longestMagic)
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

// wrappingOf knows gzip (RFC 1952, 2.3.1: deflate is its only method), and zstd with a frame or a
// skippable frame, which some writers put first (RFC 8878, 3.1).
func wrappingOf(start []byte) wrapping {
	skippable := len(start) >= longestMagic && start[0]&0xf0 == 0x50 && bytes.Equal(start[1:longestMagic], []byte{0x2a, 0x4d, 0x18})
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b, 8}):
		return gzipped
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}), skippable:
		return zstandard
	}
	return plain
}
