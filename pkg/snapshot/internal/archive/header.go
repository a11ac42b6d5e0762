package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// tarBlock is what a tar is made of (POSIX pax, "ustar Interchange Format").
const tarBlock = 512

// maxHoleList bounds what a sparse file lists before its data, as archive/tar does.
const maxHoleList = 1 << 20

// rawHeader is a member's header block, which ends at end.
type rawHeader struct {
	block [tarBlock]byte
	end   int64
}

// findHeader finds the header block of the member whose first one begins at: names
// and records that it has no room for come before.
func findHeader(file io.ReaderAt, at int64) (*rawHeader, error) {
	h := &rawHeader{end: at}
	for {
		if err := h.next(file); err != nil {
			return nil, err
		}
		switch h.block[156] {
		case tar.TypeXHeader, tar.TypeXGlobalHeader, tar.TypeGNULongName, tar.TypeGNULongLink:
			size, err := parseNumeric(h.block[124:136])
			if err != nil {
				return nil, err
			}
			h.end = padded(h.end + size)
		default:
			return h, nil
		}
	}
}

// next reads the block behind the one that h has.
func (h *rawHeader) next(file io.ReaderAt) error {
	if n, err := file.ReadAt(h.block[:], h.end); n < tarBlock {
		return fmt.Errorf("reading the header at byte %d: %w", h.end, err)
	}
	h.end += tarBlock
	return nil
}

// bodySize is how much of the tar follows the header.
func (h *rawHeader) bodySize(parsed *tar.Header) (int64, error) {
	if size, ok := parsed.PAXRecords["size"]; ok {
		return strconv.ParseInt(size, 10, 64)
	}
	return parseNumeric(h.block[124:136])
}

// holes reads the list of holes that an old GNU header has, with the blocks behind
// it that go on with it.
func (h *rawHeader) holes(file io.ReaderAt) (numbers []int64, err error) {
	const room, more = 386, 504 // where the list begins, and what says that it goes on
	list, extended := h.block[room:room+4*24], h.block[482]
	block := *h
	for {
		for ; len(list) >= 24 && list[0] != 0; list = list[24:] {
			for _, field := range [][]byte{list[:12], list[12:24]} {
				n, err := parseNumeric(field)
				if err != nil {
					return nil, err
				}
				numbers = append(numbers, n)
			}
		}
		if extended == 0 {
			return numbers, nil
		}
		if err := block.next(file); err != nil {
			return nil, err
		}
		list, extended = block.block[:21*24], block.block[more]
	}
}

// listedIn reads the list of holes that stands in a part of the tar: how many
// fragments there are, then offset and size of each, a line a number.
func listedIn(file io.ReaderAt, from, to int64) ([]int64, error) {
	if to-from > maxHoleList {
		return nil, errSparse
	}
	text := make([]byte, to-from)
	if n, err := file.ReadAt(text, from); n < len(text) {
		return nil, err
	}
	lines := strings.SplitN(string(text), "\n", 2)
	count, err := strconv.ParseInt(lines[0], 10, 64)
	if err != nil || len(lines) < 2 || count < 0 || count > maxHoleList {
		return nil, errSparse
	}
	if count == 0 {
		return nil, nil
	}
	fields := strings.SplitN(lines[1], "\n", int(2*count)+1)
	if len(fields) <= int(2*count) {
		return nil, errSparse
	}
	return parseNumbers(strings.Join(fields[:2*count], "\n"), "\n")
}

// parseNumbers reads decimal numbers.
func parseNumbers(text, separator string) (numbers []int64, err error) {
	if text == "" {
		return nil, nil
	}
	for field := range strings.SplitSeq(text, separator) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return nil, errSparse
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// parseNumeric reads a number of a header: octal digits, or GNU tar's form of those
// that need more.
func parseNumeric(field []byte) (int64, error) {
	if field[0]&0x80 == 0 {
		digits := string(bytes.Trim(field, " \x00"))
		if digits == "" {
			return 0, nil
		}
		n, err := strconv.ParseUint(digits, 8, 63)
		return int64(n), err
	}
	n := int64(0)
	for i, b := range field {
		if i == 0 {
			b &= 0x7f
		}
		if n > math.MaxInt64>>8 {
			return 0, errSparse
		}
		n = n<<8 | int64(b)
	}
	return n, nil
}

// padded is where the block ends that n lies in.
func padded(n int64) int64 { return (n + tarBlock - 1) / tarBlock * tarBlock }
