package inflate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// BufferSize is how much of a stream is read at a time.
	BufferSize = 256 << 10
	// longestMagic is how many bytes tell a wrapping, zstdMagic those of zstd.
	longestMagic = 10
	zstdMagic    = 4
)

// ErrTrailing is a stream that goes on after its compressed part.
var ErrTrailing = errors.New("trailing garbage after the compressed stream")

// ErrDamaged is an xz or bzip2 stream that does not hold what was compressed.
var ErrDamaged = errors.New("the compressed stream is damaged")

// UnsupportedError is a stream of the form What, which its own program reads, and
// a Reader does not.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What + " is not read" }

// Options says how a stream is read.
type Options struct {
	// Sync reads the stream only while the Reader is read: zstd is decoded on no
	// goroutines of its own.
	Sync bool
	// Wide is shared by streams that are read side by side: of those with zstd
	// windows over 8 MiB, which may be up to 512 MiB of memory each, one at a time
	// is decoded, and the others wait until it is closed. nil for a stream alone.
	Wide *sync.Mutex
	// Archive reads xz and bzip2, too, which are around archives: no layer has
	// them (image-spec, layer.md).
	Archive bool
}

// Reader is what is in a stream's wrapping.
type Reader struct {
	io.ReadCloser
	compressed bool
}

// Compressed says that the stream has a wrapping.
func (r *Reader) Compressed() bool { return r.compressed }

// NewReader gives what is in a stream's wrapping, which its first bytes tell:
// gzip, zstd or none, and of an archive xz or bzip2. A media type does not tell it:
// some registries' images are wrapped otherwise than theirs says, and a tar begins
// with none of these bytes.
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
	found := wrappingOf(start)
	if !o.Archive && (found == XZ || found == Bzip2) {
		found = Plain
	}
	var inside io.ReadCloser
	switch found {
	case Plain:
		return &Reader{io.NopCloser(buffered), false}, nil
	case Gzip:
		inside, err = newGunzip(buffered)
	case Zstd:
		inside, err = newUnzstd(buffered, o)
	case XZ:
		inside, err = newUnxz(buffered)
	case Bzip2:
		inside = newUnbzip2(buffered)
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
	switch {
	case errors.Is(err, zstd.ErrMagicMismatch):
		err = ErrTrailing // the first frame's was read before
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = fmt.Errorf("zstd with a window of more than %d MiB is not read: %w", maxWindow>>20, err)
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
	case wrappingOf(start) != Gzip:
		return afterLast(g.stream)
	}
	if err := g.member.Reset(g.stream); err != nil {
		return err
	}
	g.member.Multistream(false)
	return nil
}

func (g *gunzip) Close() error { return g.member.Close() }

// afterLast reads what follows the last stream of a file. Zeros may, and end in io.EOF.
func afterLast(stream *bufio.Reader) error {
	for {
		b, err := stream.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return ErrTrailing
		}
	}
}

// Wrapping is what compresses a stream.
type Wrapping string

// The wrappings that a Reader knows.
const (
	Plain Wrapping = ""
	Gzip  Wrapping = "gzip"
	Zstd  Wrapping = "zstd"
	XZ    Wrapping = "xz"
	Bzip2 Wrapping = "bzip2"
)

// WrappingOf gives a file's wrapping, as far as its start shows.
func WrappingOf(file io.ReaderAt) (Wrapping, error) {
	start := make([]byte, longestMagic)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Plain, err
	}
	return wrappingOf(start[:n]), nil
}

// wrappingOf knows gzip (RFC 1952, 2.3.1: deflate is its only method), zstd with a frame or a
// skippable frame, which some writers put first (RFC 8878, 3.1), xz (its format's 2.1.1.1), and
// bzip2 with its first block or its end: a tar's first name may begin with the four bytes before.
func wrappingOf(start []byte) Wrapping {
	skippable := len(start) >= zstdMagic && start[0]&0xf0 == 0x50 && bytes.Equal(start[1:zstdMagic], []byte{0x2a, 0x4d, 0x18})
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b, 8}):
		return Gzip
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}), skippable:
		return Zstd
	case bytes.HasPrefix(start, []byte("\xfd7zXZ\x00")):
		return XZ
	case len(start) >= longestMagic && bytes.HasPrefix(start, []byte("BZh")):
		if block := string(start[4:longestMagic]); block == "1AY&SY" || block == "\x17rE8P\x90" {
			return Bzip2
		}
	}
	return Plain
}
