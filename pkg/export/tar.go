package export

import (
	"context"
	"fmt"
	"io"
)

const (
	tarBlock = 512
	// tarBuffer is the size of the writes: bodies are read right into it, and
	// small entries share one write. 1 MiB measured best.
	tarBuffer = 1 << 20
)

// poison is what comes after a failed export: a block that as a header has no
// checksum, which GNU tar, busybox and Go fail on, and a part of another one,
// since bsdtar (seen in 3.6.2) only warns of the first and exits with 0 unless
// the archive also ends inside a block.
const (
	poison     = "ctr-rootfs: this archive is not whole: its export failed"
	poisonSize = tarBlock + tarBlock/2
)

// tarSink writes a PAX tar. One buffer is written while the next one is filled.
type tarSink struct {
	w       io.Writer
	buf     []byte
	header  tarHeader
	owed    int64 // bytes of the current body and its padding still to come
	broken  bool  // w failed, and there is nobody left to tell
	spare   []byte
	written chan error // of the write that is under way
	writing bool
}

// NewTar writes the records as a tar in the PAX format (POSIX.1-2001) to w,
// which it does not close. The same records give the same bytes: names and
// owners by number, no access or change times. Close ends the archive with two
// zero blocks. Abort ends it with bytes that every reader fails on, since a tar
// that is only cut off at an entry's edge passes for a whole one.
//
// w is written to beside the caller, one write at a time: an error of it is told
// by a later Put, or by Close. After Close or Abort nothing is written any more.
func NewTar(w io.Writer) Sink {
	return &tarSink{w: w, buf: make([]byte, 0, tarBuffer), written: make(chan error, 1)}
}

func (t *tarSink) Put(ctx context.Context, r *Record) error {
	header, size, err := t.header.encode(r)
	if err != nil {
		return err
	}
	if err := t.write(header); err != nil {
		return err
	}
	if size == 0 {
		return nil
	}
	padding := -size & (tarBlock - 1)
	t.owed = size + padding
	if err := copyBody(ctx, r, t); err != nil {
		return err
	}
	var zeros [tarBlock]byte
	err = t.write(zeros[:padding])
	t.owed = 0
	return err
}

// room and took let a body be read into the buffer, where it is written from.
func (t *tarSink) room() ([]byte, error) {
	if len(t.buf) == cap(t.buf) {
		if err := t.flush(); err != nil {
			return nil, err
		}
	}
	return t.buf[len(t.buf):cap(t.buf)], nil
}

func (t *tarSink) took(n int) error {
	t.buf = t.buf[:len(t.buf)+n]
	t.owed -= int64(n)
	return nil
}

// lose leaves the free part of the buffer to whoever may still write to it.
func (t *tarSink) lose() {
	t.buf = append(make([]byte, 0, tarBuffer), t.buf...)
}

func (t *tarSink) write(p []byte) error {
	for len(p) > 0 {
		room, err := t.room()
		if err != nil {
			return err
		}
		n := copy(room, p)
		t.buf = t.buf[:len(t.buf)+n]
		p = p[n:]
	}
	return nil
}

// flush begins to write what is in the buffer, once the write before is through.
func (t *tarSink) flush() error {
	if err := t.await(); err != nil {
		return err
	}
	full := t.buf
	if t.spare == nil {
		t.spare = make([]byte, 0, tarBuffer)
	}
	t.buf, t.spare = t.spare[:0], full
	t.writing = true
	go func() {
		_, err := t.w.Write(full)
		t.written <- err
	}()
	return nil
}

// await gives the error of the write that is under way, when it is through.
func (t *tarSink) await() error {
	if !t.writing {
		return nil
	}
	t.writing = false
	if err := <-t.written; err != nil {
		t.broken = true
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

// finish writes what is in the buffer.
func (t *tarSink) finish() error {
	if err := t.flush(); err != nil {
		return err
	}
	return t.await()
}

func (t *tarSink) Close() error {
	if err := t.write(make([]byte, 2*tarBlock)); err != nil {
		return err
	}
	return t.finish()
}

// Abort poisons the archive. Inside a body the readers still wait for the rest
// of it; where that is more than the poison, its absence is what they fail on,
// and where it is less it is filled up, so that the poison stands where a header
// is expected.
func (t *tarSink) Abort() error {
	if t.broken {
		return nil
	}
	if t.owed <= poisonSize {
		if err := t.write(make([]byte, t.owed)); err != nil {
			return err
		}
	}
	var end [poisonSize]byte
	copy(end[:], poison)
	copy(end[tarBlock:], poison)
	if err := t.write(end[:]); err != nil {
		return err
	}
	return t.finish()
}
