package erofs

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The file types of Mode (inode(7)).
const (
	TypeMask    = 0o170000
	TypeSocket  = 0o140000
	TypeSymlink = 0o120000
	TypeRegular = 0o100000
	TypeBlock   = 0o060000
	TypeDir     = 0o040000
	TypeChar    = 0o020000
	TypeFIFO    = 0o010000
)

// Inode is an object of a filesystem. It may be used side by side.
type Inode struct {
	// Nid is what hard links have in common.
	Nid      uint64
	Mode     uint16 // as in stat(2)
	UID, GID uint32
	// Links is how many names it has, as it says itself.
	Links   uint32
	Size    int64
	Seconds int64
	Nanos   uint32
	// Major and Minor are a device's number.
	Major, Minor uint32

	image  *Image
	layout uint16
	block  uint64 // where the content begins
	hole   bool   // there is no content but zeros
	xattrs int64  // where they begin
	tail   int64  // where they end, and the tail or the list of chunks begins
	chunk  uint16 // its format
}

// Inode reads an inode. One of a compressed file is an UnsupportedError.
func (m *Image) Inode(nid uint64) (*Inode, error) {
	i, err := m.inode(nid)
	if err != nil {
		return nil, fmt.Errorf("reading the inode %d: %w", nid, err)
	}
	return i, nil
}

func (m *Image) inode(nid uint64) (*Inode, error) {
	at, err := m.inodePosition(nid)
	if err != nil {
		return nil, err
	}
	var b [extendedInodeSize]byte
	if err := m.read(b[:compactInodeSize], at); err != nil {
		return nil, err
	}
	format := binary.LittleEndian.Uint16(b[:])
	if format&^formatKnown != 0 {
		return nil, &UnsupportedError{What: fmt.Sprintf("an inode of format %#x", format)}
	}
	i := &Inode{Nid: nid, image: m, layout: format & formatLayout >> 1}
	var disk extendedInode
	if format&formatExtended != 0 {
		if err := m.read(b[compactInodeSize:], at+compactInodeSize); err != nil {
			return nil, err
		}
		_, err = binary.Decode(b[:], binary.LittleEndian, &disk)
		i.xattrs = at + extendedInodeSize
	} else {
		disk, err = m.extend(b[:compactInodeSize])
		i.xattrs = at + compactInodeSize
	}
	if err != nil {
		return nil, err
	}
	return i, i.set(&disk)
}

func (m *Image) inodePosition(nid uint64) (int64, error) {
	base, err := m.position(0, uint64(m.sb.MetaBlock), m.blockSize())
	if err != nil {
		return 0, err
	}
	return m.position(base, nid, SlotSize)
}

// extend gives a compact inode with what it leaves to the superblock.
func (m *Image) extend(b []byte) (extendedInode, error) {
	var c compactInode
	if _, err := binary.Decode(b, binary.LittleEndian, &c); err != nil {
		return extendedInode{}, err
	}
	e := extendedInode{
		Format: c.Format, XattrCount: c.XattrCount, Mode: c.Mode, Size: uint64(c.Size), Data: c.Data,
		UID: uint32(c.UID), GID: uint32(c.GID), Links: uint32(c.Links),
		MTime: m.sb.Epoch + int64(c.MTime), MTimeNanos: m.sb.FixedNanos,
	}
	if c.Format&formatOneLink != 0 && c.Mode&TypeMask != TypeDir {
		e.Links, e.BlockHigh = 1, c.Links
	}
	return e, nil
}

func (i *Inode) set(d *extendedInode) error {
	i.Mode, i.UID, i.GID, i.Links = d.Mode, d.UID, d.GID, d.Links
	i.Size, i.Seconds, i.Nanos = int64(d.Size), d.MTime, d.MTimeNanos
	if i.Nanos >= 1e9 {
		return fmt.Errorf("a time with %d nanoseconds", i.Nanos)
	}
	i.tail = i.xattrs
	if d.XattrCount > 0 {
		i.tail += xattrHeaderSize + xattrEntrySize*int64(d.XattrCount-1)
	}
	switch d.Mode & TypeMask {
	case TypeRegular, TypeDir, TypeSymlink:
		return i.setContent(d)
	case TypeChar, TypeBlock:
		i.Size = 0
		i.Major, i.Minor = d.Data>>8&0xfff, d.Data&0xff|d.Data>>12&^uint32(0xff) // new_encode_dev of Linux
	case TypeFIFO, TypeSocket:
		i.Size = 0
	default:
		return fmt.Errorf("a mode of %#o", d.Mode)
	}
	return nil
}

func (i *Inode) setContent(d *extendedInode) error {
	if i.Size < 0 {
		return fmt.Errorf("a size of %d bytes", d.Size)
	}
	switch i.layout {
	case layoutPlain, layoutInline:
		i.setBlock(d)
	case layoutChunks:
		i.chunk = uint16(d.Data)
		if i.chunk&^chunkKnown != 0 {
			return &UnsupportedError{What: fmt.Sprintf("chunks of format %#x", i.chunk)}
		}
	case layoutCompressed, layoutCompressed2:
		return i.image.compressed()
	default:
		return &UnsupportedError{What: fmt.Sprintf("content of layout %d", i.layout)}
	}
	return nil
}

func (i *Inode) setBlock(d *extendedInode) {
	i.block = uint64(d.Data)
	none := uint64(noBlock32)
	if i.image.has(Feature48Bit) && (d.Format&formatExtended != 0 || d.Format&formatOneLink != 0) {
		i.block |= uint64(d.BlockHigh) << 32
		none = noBlock
	}
	i.hole = i.layout == layoutPlain && i.block == none
}

// Built reports whether an inode has the time at which the filesystem was made, as
// those have that were given none.
func (i *Inode) Built() bool {
	sb := &i.image.sb
	return i.Seconds == sb.Epoch+int64(sb.BuildTime) && i.Nanos == sb.FixedNanos
}

// Target gives what a symlink leads to, of at most limit bytes.
func (i *Inode) Target(limit int64) (string, error) {
	if i.Size == 0 || i.Size > limit {
		return "", fmt.Errorf("a symlink's target of %d bytes", i.Size)
	}
	b := make([]byte, i.Size)
	if _, err := io.ReadFull(io.NewSectionReader(i, 0, i.Size), b); err != nil {
		return "", fmt.Errorf("reading a symlink's target: %w", err)
	}
	for _, c := range b {
		if c == 0 {
			return "", fmt.Errorf("a symlink's target %q with a zero byte", b)
		}
	}
	return string(b), nil
}
