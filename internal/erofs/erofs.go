// Package erofs reads a filesystem image in the format of EROFS, Linux's
// read-only filesystem, as far as it is not compressed and lies in one file.
//
// It trusts no byte: whatever an image says is compared with the image's size,
// so that a malformed one is an error, and memory does not grow with what it
// claims. It mounts nothing, knows no layers and follows no symlink.
//
// https://erofs.docs.kernel.org describes the format.
package erofs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"
)

// UnsupportedError says what of an image this package does not read.
type UnsupportedError struct {
	// What is a feature, as in "data on other devices".
	What string
	// Compressed says that it is compression.
	Compressed bool
}

func (e *UnsupportedError) Error() string {
	return "EROFS with " + e.What + " is not read"
}

// Image is an EROFS filesystem. It may be used side by side.
type Image struct {
	from io.ReaderAt
	size int64
	sb   superblock
	// prefixes are the long ones that the image has of its own.
	prefixes []string
}

// Open reads the superblock of an image of size bytes. The image stays the
// caller's, and has to stay as it is while the Image is used.
//
// An image with a feature that this package does not know is an
// UnsupportedError; compressed files are one when their inode is read.
func Open(from io.ReaderAt, size int64) (*Image, error) {
	m := &Image{from: from, size: size}
	var b [superblockSize]byte
	if err := m.read(b[:], SuperOffset); err != nil {
		return nil, fmt.Errorf("reading the superblock: %w", err)
	}
	if _, err := binary.Decode(b[:], binary.LittleEndian, &m.sb); err != nil {
		return nil, fmt.Errorf("reading the superblock: %w", err)
	}
	if err := m.checkSuperblock(); err != nil {
		return nil, err
	}
	if err := m.readPrefixes(); err != nil {
		return nil, fmt.Errorf("reading the long prefixes of xattr names: %w", err)
	}
	return m, nil
}

func (m *Image) checkSuperblock() error {
	sb := &m.sb
	if sb.Magic != Magic {
		return errors.New("it is not an EROFS filesystem: it has no magic number")
	}
	if sb.BlockBits < minBlockBits || sb.BlockBits > maxBlockBits {
		return fmt.Errorf("a block size of 2^%d bytes", sb.BlockBits)
	}
	if sb.Compat&FeatureChecksum != 0 {
		if err := m.checkChecksum(); err != nil {
			return err
		}
	}
	if unknown := sb.Incompat &^ knownFeatures; unknown != 0 {
		return &UnsupportedError{What: featureName(unknown)}
	}
	if sb.DirBlockBits != 0 {
		return &UnsupportedError{What: "directory blocks of another size"}
	}
	if sb.ExtraDevices != 0 {
		return &UnsupportedError{What: "data on other devices"}
	}
	if blocks := m.blocks(); blocks > uint64(m.size)>>sb.BlockBits {
		return fmt.Errorf("it is cut off: %d blocks of %d bytes are more than its %d bytes", blocks, m.blockSize(), m.size)
	}
	return nil
}

func featureName(unknown uint32) string {
	if unknown == FeatureMetabox {
		return "its metadata in an inode (metabox)"
	}
	return fmt.Sprintf("the unknown feature %#x", unknown)
}

// checkChecksum compares the first block's crc32c, of which Linux keeps the
// complement. What is before the superblock does not count.
func (m *Image) checkChecksum() error {
	end := int64(m.blockSize())
	if end <= SuperOffset {
		end += SuperOffset
	}
	b := make([]byte, end-SuperOffset)
	if err := m.read(b, SuperOffset); err != nil {
		return fmt.Errorf("reading the superblock: %w", err)
	}
	clear(b[4:8]) // the checksum's own place
	if got := ^crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)); got != m.sb.Checksum {
		return fmt.Errorf("the superblock's checksum is %#x, not %#x", got, m.sb.Checksum)
	}
	return nil
}

func (m *Image) blockSize() int64 { return 1 << m.sb.BlockBits }

func (m *Image) has(feature uint32) bool { return m.sb.Incompat&feature != 0 }

// wide reports whether the superblock has the fields of Feature48Bit.
func (m *Image) wide() bool { return m.has(Feature48Bit) && m.sb.RootNid64 != 0 }

func (m *Image) blocks() uint64 {
	blocks := uint64(m.sb.Blocks)
	if m.wide() {
		blocks |= uint64(m.sb.RootNid) << 32
	}
	return blocks
}

// Root gives the nid of the root directory.
func (m *Image) Root() uint64 {
	if m.wide() {
		return m.sb.RootNid64
	}
	return uint64(m.sb.RootNid)
}

// compressed is the error of an image whose files are compressed.
func (m *Image) compressed() error {
	names := []string{algorithms[0]}
	if m.has(FeatureCompression) {
		names = nil
		for bit, name := range algorithms {
			if m.sb.Algorithms&(1<<bit) != 0 {
				names = append(names, name)
			}
		}
	}
	return &UnsupportedError{What: "compressed files (" + strings.Join(names, ", ") + ")", Compressed: true}
}

// read fills b from a position of the image.
func (m *Image) read(b []byte, at int64) error {
	if err := m.within(extent{at: at, length: int64(len(b))}); err != nil {
		return err
	}
	n, err := m.from.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// position gives where a number of units begins, which lies in the image.
func (m *Image) position(base int64, number uint64, unit int64) (int64, error) {
	if base < 0 || base > m.size || number > uint64((m.size-base)/unit) {
		return 0, fmt.Errorf("what it refers to lies beyond the image's %d bytes: %w", m.size, io.ErrUnexpectedEOF)
	}
	return base + int64(number)*unit, nil
}

func roundUp(n, unit int64) int64 {
	if n > math.MaxInt64-unit {
		return n // beyond any image
	}
	return (n + unit - 1) / unit * unit
}
