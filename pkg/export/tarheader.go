package export

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxPAXRecords is what Go's archive/tar, the reader of docker and containerd,
// takes of PAX records for one entry.
const maxPAXRecords = 1 << 20

// Offsets and sizes of a ustar header (POSIX.1-2024, pax, ustar Interchange
// Format).
const (
	nameSize, prefixSize             = 100, 155
	modeAt, uidAt, gidAt             = 100, 108, 116
	sizeAt, mtimeAt                  = 124, 136
	checksumAt, typeAt, linkAt       = 148, 156, 157
	magicAt, majorAt, minorAt        = 257, 329, 337
	prefixAt                         = 345
	maxOctal7, maxOctal11      int64 = 1<<21 - 1, 1<<33 - 1
)

// tarHeader makes headers. It is our own and not archive/tar's Writer because
// that one refuses what Linux can hold ('=' in the names of attributes), says
// nothing of hdrcharset, may change its bytes from one Go release to the next,
// and makes a map and a Writer for each entry.
type tarHeader struct {
	out []byte // what encode returns: PAX blocks, then the ustar block
	pax []byte // the records of the entry at hand
}

// encode gives the header blocks of r and the length of the body that must
// follow. The blocks are valid until the next call.
func (h *tarHeader) encode(r *Record) (blocks []byte, size int64, err error) {
	kind, err := typeFlag(r)
	if err != nil {
		return nil, 0, err
	}
	name, target := r.Path, r.Target
	if r.Type == Directory {
		name += "/"
	}
	if kind == '0' {
		size = r.Size
	}
	if kind == '1' {
		target = r.LinkTo
	}
	h.pax = h.pax[:0]
	var block [tarBlock]byte
	h.putNames(&block, name, target)
	putOctal(block[modeAt:modeAt+8], int64(r.Mode))
	h.putNumber(block[uidAt:uidAt+8], "uid", int64(r.UID), maxOctal7)
	h.putNumber(block[gidAt:gidAt+8], "gid", int64(r.GID), maxOctal7)
	h.putNumber(block[sizeAt:sizeAt+12], "size", size, maxOctal11)
	h.putTime(block[mtimeAt:mtimeAt+12], r.MTime)
	if r.Type == CharDevice || r.Type == BlockDevice {
		h.putNumber(block[majorAt:majorAt+8], "SCHILY.devmajor", int64(r.RdevMajor), maxOctal7)
		h.putNumber(block[minorAt:minorAt+8], "SCHILY.devminor", int64(r.RdevMinor), maxOctal7)
	}
	// A later name of a hard link carries the attributes once more, though they
	// are the inode's and set already: docker and containerd chown each name
	// that they unpack, and the kernel then drops security.capability.
	for _, x := range r.Attrs {
		h.record("SCHILY.xattr."+escapeXattr.Replace(x.Name), x.Value)
	}
	if len(h.pax) > maxPAXRecords {
		return nil, 0, &HeaderError{Path: r.Path, Size: len(h.pax), Limit: maxPAXRecords}
	}
	h.out = h.out[:0]
	if len(h.pax) > 0 {
		h.appendPAX()
	}
	h.out = append(h.out, seal(&block, kind)...)
	return h.out, size, nil
}

func typeFlag(r *Record) (byte, error) {
	if r.LinkTo != "" {
		return '1', nil
	}
	switch r.Type {
	case Regular:
		return '0', nil
	case Symlink:
		return '2', nil
	case CharDevice:
		return '3', nil
	case BlockDevice:
		return '4', nil
	case Directory:
		return '5', nil
	case FIFO:
		return '6', nil
	}
	return 0, fmt.Errorf("writing the header of %q: a tar cannot hold a %s", r.Path, r.Type)
}

// appendPAX puts the records of an extended header before the entry's own.
func (h *tarHeader) appendPAX() {
	var block [tarBlock]byte
	// The name under which a reader that knows no PAX would unpack the records.
	copy(block[:], "././@PaxHeader")
	putOctal(block[modeAt:modeAt+8], 0o644)
	putOctal(block[uidAt:uidAt+8], 0)
	putOctal(block[gidAt:gidAt+8], 0)
	putOctal(block[sizeAt:sizeAt+12], int64(len(h.pax)))
	putOctal(block[mtimeAt:mtimeAt+12], 0)
	h.out = append(h.out, seal(&block, 'x')...)
	h.out = append(h.out, h.pax...)
	h.out = append(h.out, make([]byte, -len(h.pax)&(tarBlock-1))...)
}

// putNames writes the name and the link's target, as records where they are too
// long for their fields or not plain ASCII. Records are UTF-8 by the standard;
// for other bytes hdrcharset says so first.
func (h *tarHeader) putNames(block *[tarBlock]byte, name, target string) {
	prefix, rest, fits := splitName(name)
	longName, longTarget := !fits || isUTF8Beyond(name), len(target) > nameSize || isUTF8Beyond(target)
	if (longName && !utf8.ValidString(name)) || (longTarget && !utf8.ValidString(target)) {
		h.record("hdrcharset", []byte("BINARY"))
	}
	if longName {
		h.record("path", []byte(name))
	}
	if longTarget {
		h.record("linkpath", []byte(target))
	}
	copy(block[:nameSize], rest)
	copy(block[prefixAt:prefixAt+prefixSize], prefix)
	copy(block[linkAt:linkAt+nameSize], target)
}

// isUTF8Beyond reports whether s is UTF-8 and not ASCII: readers convert such
// names by their locale unless a record says UTF-8. Other bytes they leave alone.
func isUTF8Beyond(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s)
		}
	}
	return false
}

// splitName fits a name into the ustar fields name and prefix, which readers
// join with a slash.
func splitName(name string) (prefix, rest string, fits bool) {
	if len(name) <= nameSize {
		return "", name, true
	}
	if len(name) > prefixSize+1+nameSize {
		return "", name[:nameSize], false
	}
	// The first slash that leaves few enough bytes behind; not the last byte.
	from := max(len(name)-1-nameSize, 1)
	i := strings.IndexByte(name[from:len(name)-1], '/')
	if i < 0 || from+i > prefixSize {
		return "", name[:nameSize], false
	}
	return name[:from+i], name[from+i+1:], true
}

// putNumber writes a number, as a record too where its field is too small.
func (h *tarHeader) putNumber(field []byte, key string, n, limit int64) {
	if n > limit {
		h.record(key, strconv.AppendInt(nil, n, 10))
		n = 0
	}
	putOctal(field, n)
}

// putTime writes the time to the nanosecond, as a record where the field cannot
// say it.
func (h *tarHeader) putTime(field []byte, t time.Time) {
	sec := t.Unix()
	if t.Nanosecond() != 0 || sec < 0 || sec > maxOctal11 {
		var digits [32]byte
		h.record("mtime", appendTime(digits[:0], t))
		sec = min(max(sec, 0), maxOctal11)
	}
	putOctal(field, sec)
}

// appendTime writes a decimal fraction; the seconds of times before 1970 count
// down, the nanoseconds of time.Time always up.
func appendTime(b []byte, t time.Time) []byte {
	sec, nsec := t.Unix(), int64(t.Nanosecond())
	if sec < 0 {
		b = append(b, '-')
		sec = -sec
		if nsec > 0 {
			sec, nsec = sec-1, 1e9-nsec
		}
	}
	b = strconv.AppendUint(b, uint64(sec), 10) // -math.MinInt64 fits into no int64
	if nsec == 0 {
		return b
	}
	b = append(b, '.')
	for digit := int64(1e8); nsec > 0; digit /= 10 {
		b = append(b, byte('0'+nsec/digit))
		nsec %= digit
	}
	return b
}

// escapeXattr is GNU tar's: a record's key ends at the first '='.
var escapeXattr = strings.NewReplacer("%", "%25", "=", "%3D")

// record appends "LENGTH KEY=VALUE\n", where the length counts itself.
func (h *tarHeader) record(key string, value []byte) {
	rest := len(" =\n") + len(key) + len(value)
	length := rest + decimals(rest)
	if total := rest + decimals(length); total > length {
		length = total // the length's own digits made it longer by one
	}
	h.pax = strconv.AppendInt(h.pax, int64(length), 10)
	h.pax = append(h.pax, ' ')
	h.pax = append(h.pax, key...)
	h.pax = append(h.pax, '=')
	h.pax = append(h.pax, value...)
	h.pax = append(h.pax, '\n')
}

func decimals(n int) int {
	count := 1
	for ; n >= 10; n /= 10 {
		count++
	}
	return count
}

// putOctal fills a field with digits and the NUL that ends it. n fits.
func putOctal(field []byte, n int64) {
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = byte('0' + n&7)
		n >>= 3
	}
}

// seal writes what is last: type, magic and the checksum over all bytes.
func seal(block *[tarBlock]byte, kind byte) []byte {
	block[typeAt] = kind
	copy(block[magicAt:], "ustar\x0000")
	copy(block[checksumAt:checksumAt+8], "        ")
	var sum int64
	for _, c := range block {
		sum += int64(c)
	}
	putOctal(block[checksumAt:checksumAt+7], sum)
	return block[:]
}
