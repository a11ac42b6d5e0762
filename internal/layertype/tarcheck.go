package layertype

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strconv"
)

const tarBlock = 512

// TarCheck sees the bytes of a layer that is to be a tar, by Write, and says
// whether they are one. A reader of tars takes whatever begins with 1,024 zeros
// for an empty archive, as ext4 and EROFS do.
type TarCheck struct {
	// block is the first one that is an entry's header, or the archive's end, or
	// neither; as much as there was of it.
	block []byte
	// skip is how much of a header's records or name is still to be passed over.
	skip int64
	// before says that there were headers before block, and announced that the
	// last one is about the entry that follows.
	before, announced bool
	// other says that bytes other than zeros follow a block of zeros.
	other bool
}

// Write is io.Writer's and does not fail.
func (c *TarCheck) Write(p []byte) (int, error) {
	rest := p
	for c.skip > 0 || len(c.block) < tarBlock {
		n := min(c.skip, int64(len(rest)))
		rest, c.skip = rest[n:], c.skip-n
		taken := min(tarBlock-len(c.block), len(rest))
		c.block, rest = append(c.block, rest[:taken]...), rest[taken:]
		if len(c.block) < tarBlock {
			return len(p), nil
		}
		c.passOver()
	}
	if !c.other && len(rest) > 0 && isZero(c.block) {
		c.other = !isZero(rest)
	}
	return len(p), nil
}

// passOver goes on behind a header that is not an entry's: PAX records for all entries
// or for the next one, and GNU's long names.
func (c *TarCheck) passOver() {
	const kind, sizeFrom, sizeTo = 156, 124, 136
	global := c.block[kind] == tar.TypeXGlobalHeader
	if !global && !bytes.Contains([]byte{tar.TypeXHeader, tar.TypeGNULongName, tar.TypeGNULongLink}, c.block[kind:kind+1]) {
		return
	}
	size, err := octal(c.block[sizeFrom:sizeTo])
	if err != nil || !isHeader(c.block) {
		return
	}
	c.skip = (size + tarBlock - 1) / tarBlock * tarBlock
	c.block, c.before, c.announced = c.block[:0], true, !global
}

// Settled says that what is still to be written will change nothing.
func (c *TarCheck) Settled() bool {
	return c.other || len(c.block) == tarBlock && !isZero(c.block)
}

// Explain gives the error of reading the tar, which may be nil, as a
// *ContentError where the layer was no tar at all. All of the layer was written
// to c by then, where err is nil.
func (c *TarCheck) Explain(mediaType string, err error) error {
	switch {
	case c.other:
		return &ContentError{mediaType, "zeros and then other bytes", err}
	case err == nil && c.announced && isZero(c.block):
		return &ContentError{mediaType, "a header without an entry", nil}
	case err != nil && !c.before && len(c.block) > 0 && !isZero(c.block) && !isHeader(c.block):
		return &ContentError{mediaType, found(c.block, err), err}
	}
	return err
}

func isZero(p []byte) bool { return len(bytes.TrimLeft(p, "\x00")) == 0 }

// isHeader says whether a block is a tar's header, of any dialect, by its
// checksum: the sum of all bytes, or of all as signed ones, with spaces for the
// checksum itself (POSIX pax, "ustar Interchange Format").
func isHeader(block []byte) bool {
	const from, to = 148, 156
	if len(block) < tarBlock {
		return false
	}
	want, err := octal(block[from:to])
	if err != nil {
		return false
	}
	sum, signed := int64(0), int64(0)
	for i, b := range block {
		if i >= from && i < to {
			b = ' '
		}
		sum, signed = sum+int64(b), signed+int64(int8(b))
	}
	return want == sum || want == signed
}

// octal reads a header's number, which is never negative.
func octal(field []byte) (int64, error) {
	const bits = 62 // a size is rounded up
	n, err := strconv.ParseUint(string(bytes.Trim(field, " \x00")), 8, bits)
	return int64(n), err
}

// ContentError says that a layer's content is not the tar that its media type
// says.
type ContentError struct {
	MediaType string
	// Found says what it is, as far as its start shows.
	Found string
	// Err is what reading it as a tar gave; nil where a reader takes it for empty.
	Err error
}

func (e *ContentError) Error() string {
	return fmt.Sprintf("its content is not the tar that its media type %q says: it is %s", e.MediaType, e.Found)
}

func (e *ContentError) Unwrap() error { return e.Err }

// magics are what blobs begin with that were seen, or may be, where a tar or one
// that is compressed otherwise should be.
var magics = []struct{ magic, name string }{
	{"\xfd7zXZ\x00", "xz"},
	{"BZh", "bzip2"},
	{"\x04\x22\x4d\x18", "lz4"},
	{"\x89LZO", "lzop"},
	{"\x5d\x00\x00", "lzma"},
	{"LZIP", "lzip"},
	{"hsqs", "a squashfs"},
	{"PK\x03\x04", "a zip archive"},
	{"070701", "a cpio archive"},
	{"\x7fELF", "an ELF file"},
	{"\x00asm", "a WebAssembly module"},
	{"{", "JSON"},
}

// found names what begins so, where err is why it was read no further.
func found(start []byte, err error) string {
	for _, m := range magics {
		if bytes.HasPrefix(start, []byte(m.magic)) {
			return m.name
		}
	}
	if len(start) < tarBlock {
		return fmt.Sprintf("shorter than a tar's header: %v", err)
	}
	return "something else"
}
