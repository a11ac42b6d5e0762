package erofs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Xattr is an extended attribute whose value is not read yet.
type Xattr struct {
	Name string
	// Size is the value's length.
	Size  int
	value int64
	image *Image
}

// Value reads the value.
func (x Xattr) Value() ([]byte, error) {
	b := make([]byte, x.Size)
	if err := x.image.read(b, x.value); err != nil {
		return nil, fmt.Errorf("reading the value of the xattr %q: %w", x.Name, err)
	}
	return b, nil
}

// Xattrs visits the extended attributes of an inode, also such as Linux has no
// namespace for. A name may come again (mkfs.erofs makes that of a directory which
// a tar has twice): the first one is what Linux shows.
func (i *Inode) Xattrs(visit func(Xattr) error) error {
	if i.tail-i.xattrs <= xattrHeaderSize {
		return nil // none, or a header alone
	}
	b := make([]byte, i.tail-i.xattrs)
	if err := i.image.read(b, i.xattrs); err != nil {
		return fmt.Errorf("reading xattrs: %w", err)
	}
	shared := int(b[4])
	inline := xattrHeaderSize + shared*xattrAlign
	if inline > len(b) {
		return fmt.Errorf("reading xattrs: %d shared ones are too many", shared)
	}
	if err := i.inlineXattrs(b, inline, visit); err != nil {
		return err
	}
	for at := xattrHeaderSize; at < inline; at += xattrAlign {
		x, err := i.image.sharedXattr(binary.LittleEndian.Uint32(b[at:]))
		if err == nil {
			err = visit(x)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inlineXattrs visits the attributes that only this inode has: those in b, from
// an offset on.
func (i *Inode) inlineXattrs(b []byte, at int, visit func(Xattr) error) error {
	for at < len(b) {
		if binary.LittleEndian.Uint32(b[at:]) == 0 {
			return checkZeros(b[at:])
		}
		x, size, err := i.image.xattr(b[at:], i.xattrs+int64(at))
		if err == nil && at+size > len(b) {
			err = fmt.Errorf("the xattr %q of %d bytes goes beyond its inode", x.Name, x.Size)
		}
		if err == nil {
			err = visit(x)
		}
		if err != nil {
			return err
		}
		at += size
	}
	return nil
}

// checkZeros fails where what an mkfs left free behind an inode's xattrs is used.
func checkZeros(b []byte) error {
	if len(bytes.Trim(b, "\x00")) > 0 {
		return errors.New("an xattr without a name")
	}
	return nil
}

// sharedXattr gives an attribute that several inodes have.
func (m *Image) sharedXattr(id uint32) (Xattr, error) {
	base, err := m.position(0, uint64(m.sb.XattrBlock), m.blockSize())
	if err != nil {
		return Xattr{}, err
	}
	at, err := m.position(base, uint64(id), xattrAlign)
	if err != nil {
		return Xattr{}, err
	}
	b := make([]byte, min(xattrEntrySize+maxName, m.size-at))
	if err := m.read(b, at); err != nil {
		return Xattr{}, fmt.Errorf("reading a shared xattr: %w", err)
	}
	x, _, err := m.xattr(b, at)
	return x, err
}

// xattr gives the attribute that b begins with, at a position of the image, and
// the length of the whole. Its value need not be in b.
func (m *Image) xattr(b []byte, at int64) (x Xattr, whole int, err error) {
	if len(b) < xattrEntrySize {
		return x, 0, errors.New("an xattr is cut")
	}
	length, size := int(b[0]), int(binary.LittleEndian.Uint16(b[2:]))
	if xattrEntrySize+length > len(b) {
		return x, 0, fmt.Errorf("an xattr's name of %d bytes is cut", length)
	}
	prefix, err := m.prefix(b[1])
	if err != nil {
		return x, 0, err
	}
	x = Xattr{
		Name:  prefix + string(b[xattrEntrySize:xattrEntrySize+length]),
		Size:  size,
		value: at + xattrEntrySize + int64(length), image: m,
	}
	return x, int(roundUp(int64(xattrEntrySize+length+size), xattrAlign)), nil
}

// prefix gives what the index of a name stands for.
func (m *Image) prefix(index uint8) (string, error) {
	if index&longPrefix == 0 {
		return shortPrefix(index)
	}
	if at := int(index &^ longPrefix); at < len(m.prefixes) {
		return m.prefixes[at], nil
	}
	return "", fmt.Errorf("an xattr's name has the unknown long prefix %#x", index)
}

func shortPrefix(index uint8) (string, error) {
	if index == 0 || int(index) >= len(prefixes) {
		return "", fmt.Errorf("an xattr's name has the unknown prefix %#x", index)
	}
	return prefixes[index], nil
}

// readPrefixes reads the list of long prefixes: a length of two bytes before
// each, then the index of the prefix that it goes on.
func (m *Image) readPrefixes() error {
	if !m.has(FeaturePrefixes) {
		return nil
	}
	at, read := int64(m.sb.PrefixStart)*xattrAlign, m.read
	if m.has(FeatureFragments) && m.sb.PackedNid != 0 && m.sb.Compat&featurePlainPrefixes == 0 {
		packed, err := m.Inode(m.sb.PackedNid)
		if err != nil {
			return err
		}
		read = func(b []byte, at int64) error {
			_, err := packed.ReadAt(b, at)
			return err
		}
	}
	for range m.sb.PrefixCount {
		var length [2]byte
		if err := read(length[:], at); err != nil {
			return err
		}
		b := make([]byte, binary.LittleEndian.Uint16(length[:]))
		if len(b) == 0 || len(b) > 1+maxName {
			return fmt.Errorf("one of %d bytes", len(b))
		}
		if err := read(b, at+2); err != nil {
			return err
		}
		base, err := shortPrefix(b[0])
		if err != nil {
			return err
		}
		m.prefixes = append(m.prefixes, base+string(b[1:]))
		at = roundUp(at+2+int64(len(b)), xattrAlign)
	}
	return nil
}
