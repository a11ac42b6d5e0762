package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

const tarBlock = 512

// tarStream gives a layer's tar to its reader. On the way each byte is counted,
// digested and spooled.
type tarStream struct {
	from  *inflater
	sinks []io.Writer // the diff ID's digest and the spool, where they are needed
	quota *quota
	// rest is what the reader has not had yet of buf.
	rest, buf []byte
	// offset is how much the reader had, total how much there was.
	offset, total int64
	// err is why there is no more; ended is the last chunk's.
	err   error
	ended bool
}

func (s *tarStream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.err = s.next()
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.offset += int64(n)
	return n, nil
}

// next takes a chunk; its error is the one that ends the stream.
func (s *tarStream) next() error {
	if s.buf != nil {
		s.from.free <- s.buf[:chunkSize]
		s.buf = nil
	}
	c := <-s.from.full
	s.buf, s.ended = c.data, c.ended
	s.total += int64(len(c.data))
	s.quota.inflated.Add(int64(len(c.data)))
	if err := s.quota.addBytes(int64(len(c.data))); err != nil {
		return err
	}
	for _, w := range s.sinks {
		if _, err := w.Write(c.data); err != nil {
			return err
		}
	}
	s.rest = c.data
	return c.err
}

// drain takes the rest of the stream: what follows the end of an archive counts
// for the diff ID.
func (s *tarStream) drain() error {
	for s.err == nil {
		s.err = s.next()
	}
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// indexTar adds each entry of the stream to x. archive/tar knows all dialects
// and is what containerd reads layers by, so that both see the same names; the
// bodies' offsets come from the stream, which it reads strictly in order.
func indexTar(ctx context.Context, s *tarStream, x *index) error {
	r := tar.NewReader(s)
	first := int64(0) // where the next entry's first header begins
	for {
		h, err := r.Next()
		if err == io.EOF {
			return expectEnd(x.source, first)
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("reading the tar header at byte %d: %w", first, err)
		}
		if ctx.Err() != nil { // a path through many symlinks takes its time
			return context.Cause(ctx)
		}
		s.quota.headers.Add(1)
		b := body{offset: s.offset}
		end := s.offset
		switch {
		case isSparse(h):
			b = body{offset: first, sparse: true}
			if err := s.skipSparse(ctx, r, h.Size); err != nil {
				return fmt.Errorf("reading %q: %w", h.Name, err)
			}
			end = s.offset
		case hasBody(h.Typeflag):
			end += h.Size
		}
		first = (end + tarBlock - 1) / tarBlock * tarBlock
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue // containerd and umoci give its records to no entry
		}
		if err := x.add(h, b); err != nil {
			return fmt.Errorf("adding %q: %w", h.Name, err)
		}
	}
}

// expectEnd fails where an archive that has ended has something else than zeros
// at offset: archive/tar does not mind a PAX header that nothing follows.
func expectEnd(tar io.ReaderAt, offset int64) error {
	var block [tarBlock]byte
	n, err := tar.ReadAt(block[:], offset)
	if err != nil && err != io.EOF {
		return err
	}
	if len(bytes.Trim(block[:n], "\x00")) > 0 {
		return fmt.Errorf("reading the tar header at byte %d: %w", offset, io.ErrUnexpectedEOF)
	}
	return nil
}

// isSparse reports whether a body lies in the tar without its holes. Versions
// that archive/tar does not know it reads like any file, here and later.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// hasBody reports whether a size in a header is that of bytes that follow it
// (POSIX pax, "ustar Interchange Format": the others have none).
func hasBody(typeflag byte) bool {
	switch typeflag {
	case tar.TypeReg, tar.TypeCont:
		return true
	}
	return false
}

// skipSparse reads a file with its holes: only archive/tar knows where in the
// stream it ends, and so its list of holes is verified as well.
func (s *tarStream) skipSparse(ctx context.Context, r io.Reader, size int64) error {
	if err := s.quota.addBytes(size); err != nil {
		return err
	}
	buf := make([]byte, chunkSize)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := r.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
