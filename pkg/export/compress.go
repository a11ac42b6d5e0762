package export

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// Compression is a format and its level. The zero value compresses nothing.
type Compression struct {
	// Format is "none" (or empty), "gzip" or "zstd".
	Format string
	// Level is the format's own, 0 for its default: gzip 1 to 9, zstd 1 to 22.
	Level int
}

// ParseCompression reads none, gzip, gzip:LEVEL, zstd or zstd:LEVEL.
func ParseCompression(s string) (Compression, error) {
	format, level, hasLevel := strings.Cut(s, ":")
	most := map[string]int{"none": 0, "gzip": 9, "zstd": 22}
	limit, known := most[format]
	if !known {
		return Compression{}, fmt.Errorf("unknown compression %q: it is none, gzip or zstd, with a level as in zstd:9", s)
	}
	if !hasLevel {
		return Compression{Format: format}, nil
	}
	n, err := strconv.Atoi(level)
	if limit == 0 {
		return Compression{}, fmt.Errorf("compression %q: none has no level", s)
	}
	if err != nil || n < 1 || n > limit {
		return Compression{}, fmt.Errorf("compression %q: the level of %s is 1 to %d", s, format, limit)
	}
	return Compression{Format: format, Level: n}, nil
}

// CompressionFor is what the name of an output file asks for, in either case:
// gzip for .gz and .tgz, zstd for .zst, .zstd and .tzst. The ending of another
// compressor is an error, and every other name asks for none.
func CompressionFor(filename string) (Compression, error) {
	name := strings.ToLower(filename)
	switch ending := path.Ext(name); {
	case ending == ".gz", ending == ".tgz":
		return Compression{Format: "gzip"}, nil
	case ending == ".zst", ending == ".zstd", ending == ".tzst":
		return Compression{Format: "zstd"}, nil
	case slices.Contains([]string{".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".lz", ".lz4", ".lzma", ".lzo", ".br", ".z", ".zip", ".7z"}, ending):
		return Compression{}, fmt.Errorf("unknown compression by the ending of %q: it is gzip or zstd", filename)
	}
	return Compression{Format: "none"}, nil
}

// String is the form that ParseCompression reads.
func (c Compression) String() string {
	format := c.Format
	if format == "" {
		format = "none"
	}
	if c.Level == 0 {
		return format
	}
	return format + ":" + strconv.Itoa(c.Level)
}

// CompressWriter compresses what is written to it. Exactly one of Close and
// Abort ends it, and its goroutines with it; the writer below stays open.
type CompressWriter interface {
	io.Writer
	// Close writes what is left and ends the stream.
	Close() error
	// Abort ends without writing any more: what was written is a stream that
	// every reader fails on, if it is compressed; if not, that is up to who
	// wrote to it.
	Abort() error
}

// NewWriter compresses to w. The same bytes in give the same bytes out, however
// they are cut into writes and however many cores there are.
func (c Compression) NewWriter(w io.Writer) (CompressWriter, error) {
	switch c.Format {
	case "", "none":
		return plainWriter{w}, nil
	case "gzip":
		return newGzipWriter(w, c.Level)
	case "zstd":
		level := zstd.SpeedDefault
		if c.Level != 0 {
			level = zstd.EncoderLevelFromZstd(c.Level)
		}
		return newZstdWriter(w, level)
	}
	return nil, fmt.Errorf("unknown compression %q", c.Format)
}

// compressedTar is a tar in a compressed stream.
type compressedTar struct {
	Sink
	stream CompressWriter
}

// NewCompressedTar writes the records as NewTar does, compressed by c, to w,
// which stays open. Abort leaves a stream or an archive that readers fail on.
func NewCompressedTar(w io.Writer, c Compression) (Sink, error) {
	stream, err := c.NewWriter(w)
	if err != nil {
		return nil, err
	}
	return &compressedTar{NewTar(stream), stream}, nil
}

func (t *compressedTar) Close() error {
	if err := t.Sink.Close(); err != nil {
		return err
	}
	return t.stream.Close()
}

// Abort poisons the tar as well: without compression that is what shows.
func (t *compressedTar) Abort() error {
	return errors.Join(t.Sink.Abort(), t.stream.Abort())
}

// plainWriter is no compression. A stream that is cut off there shows it only by
// what the tar in it says.
type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }
func (plainWriter) Abort() error { return nil }

// gzipBlock is what one core compresses at a time; pgzip's output depends on it
// and not on the number of cores.
const gzipBlock = 1 << 20

// gzipDefault is pgzip's level whose size is that of level 6, the default of
// gzip and pigz, within 3 %; it takes about half of pigz's time.
const gzipDefault = 8

type gzipWriter struct {
	*pgzip.Writer
	valve *valve
}

func newGzipWriter(w io.Writer, level int) (CompressWriter, error) {
	if level == 0 {
		level = gzipDefault
	}
	v := &valve{w: w}
	z, err := pgzip.NewWriterLevel(v, level)
	if err == nil {
		err = z.SetConcurrency(gzipBlock, compressWorkers()+1)
	}
	if err != nil {
		return nil, fmt.Errorf("setting up gzip: %w", err)
	}
	return &gzipWriter{z, v}, nil
}

// Abort closes the valve first: pgzip has no way to stop but Close, which would
// end the stream well. Without its trailer a gzip stream is cut off.
func (z *gzipWriter) Abort() error {
	z.valve.shut.Store(true)
	if err := z.Writer.Close(); err != nil && !errors.Is(err, errAborted) {
		return err
	}
	return nil
}

var errAborted = errors.New("the stream was aborted")

// valve stops a writer that another goroutine writes to.
type valve struct {
	w    io.Writer
	shut atomic.Bool
}

func (v *valve) Write(p []byte) (int, error) {
	if v.shut.Load() {
		return 0, errAborted
	}
	return v.w.Write(p)
}
