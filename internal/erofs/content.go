package erofs

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// extent is a part of a file's content: where it lies in the image, unless it
// is a hole, and how long it is.
type extent struct {
	at, length int64
	hole       bool
}

// ReadAt is io.ReaderAt's, over the inode's Size bytes.
func (i *Inode) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, errors.New("a negative offset")
	}
	for n < len(p) {
		if offset >= i.Size {
			return n, io.EOF
		}
		e, err := i.extent(offset)
		if err != nil {
			return n, err
		}
		part := p[n : n+int(min(int64(len(p)-n), e.length, i.Size-offset))]
		if e.hole {
			clear(part)
		} else if err := i.image.read(part, e.at); err != nil {
			return n, err
		}
		n, offset = n+len(part), offset+int64(len(part))
	}
	return n, nil
}

// extent gives the part of the content that begins at an offset below Size.
func (i *Inode) extent(offset int64) (extent, error) {
	if i.layout == layoutChunks {
		return i.chunkAt(offset)
	}
	blocks, tail, err := i.flat()
	if err != nil {
		return extent{}, err
	}
	if offset >= blocks.length {
		return extent{at: tail.at + offset - blocks.length, length: tail.length + blocks.length - offset}, nil
	}
	return extent{at: blocks.at + offset, length: blocks.length - offset, hole: blocks.hole}, nil
}

// flat gives the two parts of content that is in no chunks, both of which lie in
// the image.
func (i *Inode) flat() (blocks, tail extent, err error) {
	blocks.length = i.Size
	if i.layout == layoutInline && i.Size > 0 {
		size := i.image.blockSize()
		blocks.length = (i.Size - 1) / size * size
		tail = extent{at: i.tail, length: i.Size - blocks.length}
		if tail.at%size+tail.length > size {
			return blocks, tail, fmt.Errorf("a tail of %d bytes goes beyond its block", tail.length)
		}
		if err := i.image.within(tail); err != nil {
			return blocks, tail, err
		}
	}
	blocks.hole = i.hole
	if blocks.length > 0 && !blocks.hole {
		if blocks.at, err = i.image.position(0, i.block, i.image.blockSize()); err == nil {
			err = i.image.within(blocks)
		}
	}
	return blocks, tail, err
}

// within fails where an extent goes beyond the image.
func (m *Image) within(e extent) error {
	if e.at < 0 || e.at > m.size || e.length > m.size-e.at {
		return fmt.Errorf("%d bytes at %d lie beyond the image's %d: %w", e.length, e.at, m.size, io.ErrUnexpectedEOF)
	}
	return nil
}

// chunkSize gives the length of a chunk.
func (i *Inode) chunkSize() int64 { return 1 << (int(i.chunk&chunkBits) + int(i.image.sb.BlockBits)) }

// entrySize gives the length of an entry in the list of chunks.
func (i *Inode) entrySize() int64 {
	if i.chunk&chunkIndexes != 0 {
		return chunkListSize
	}
	return blockMapSize
}

func (i *Inode) chunkAt(offset int64) (extent, error) {
	number, size := offset/i.chunkSize(), i.entrySize()
	at, err := i.image.position(roundUp(i.tail, size), uint64(number), size)
	if err != nil {
		return extent{}, err
	}
	var b [chunkListSize]byte
	if err := i.image.read(b[:size], at); err != nil {
		return extent{}, err
	}
	e, err := i.chunkOf(b[:size], number)
	within := offset % i.chunkSize()
	return extent{at: e.at + within, length: e.length - within, hole: e.hole}, err
}

// chunkOf gives the chunk that an entry of the list stands for. The last one
// ends with the file.
func (i *Inode) chunkOf(entry []byte, number int64) (extent, error) {
	begin := number * i.chunkSize()
	e := extent{length: min(i.chunkSize(), i.Size-begin)}
	block, none, device := uint64(binary.LittleEndian.Uint32(entry)), uint64(noBlock32), uint16(0)
	if i.chunk&chunkIndexes != 0 {
		block, device = uint64(binary.LittleEndian.Uint32(entry[4:])), binary.LittleEndian.Uint16(entry[2:])
		if i.chunk&chunk48Bit != 0 {
			block |= uint64(binary.LittleEndian.Uint16(entry)) << 32
			none = noBlock
		}
	}
	if block == none {
		e.hole = true
		return e, nil
	}
	if device != 0 {
		return e, &UnsupportedError{What: "data on other devices"}
	}
	var err error
	if e.at, err = i.image.position(0, block, i.image.blockSize()); err == nil {
		err = i.image.within(e)
	}
	return e, err
}

// Verify fails where some of the content does not lie in the image, which
// reading it would find later.
func (i *Inode) Verify(ctx context.Context) error {
	if i.layout == layoutChunks && i.Size > 0 {
		return i.verifyChunks(ctx, (i.Size-1)/i.chunkSize()+1)
	}
	_, _, err := i.flat()
	return err
}

func (i *Inode) verifyChunks(ctx context.Context, chunks int64) error {
	if chunks > i.image.size/i.entrySize() {
		return fmt.Errorf("a list of %d chunks is larger than the image", chunks)
	}
	list := extent{at: roundUp(i.tail, i.entrySize()), length: chunks * i.entrySize()}
	if err := i.image.within(list); err != nil {
		return err
	}
	from := bufio.NewReaderSize(io.NewSectionReader(i.image.from, list.at, list.length), 64<<10)
	entry := make([]byte, i.entrySize())
	for number := range chunks {
		if number%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := io.ReadFull(from, entry); err != nil {
			return fmt.Errorf("reading its list of chunks: %w", err)
		}
		if _, err := i.chunkOf(entry, number); err != nil {
			return err
		}
	}
	return nil
}
