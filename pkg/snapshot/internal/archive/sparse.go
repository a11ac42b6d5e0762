package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
)

const (
	// maxFragments bounds what all sparse files of an archive list: 24 bytes of
	// memory each.
	maxFragments = 1 << 20
	paxSparse    = "GNU.sparse."
)

// errSparse is a list of holes that does not fit the data beside it.
var errSparse = errors.New("the list of its holes does not fit its data")

// fragment is data of a sparse file: where it stands in the file, and its length.
type fragment struct{ offset, size int64 }

// sparseFile is a file of which the tar has the fragments only, one behind the
// other; all else is zeros.
type sparseFile struct {
	tar       io.ReaderAt
	fragments []fragment
	// places are where the fragments lie in the tar.
	places []int64
}

// ReadAt gives the file as it was. It does not know where it ends: a section does.
func (s *sparseFile) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	end := off + int64(len(p))
	first := sort.Search(len(s.fragments), func(i int) bool { return s.fragments[i].offset+s.fragments[i].size > off })
	for i := first; i < len(s.fragments) && s.fragments[i].offset < end; i++ {
		f := s.fragments[i]
		from, to := max(f.offset, off), min(f.offset+f.size, end)
		if n, err := s.tar.ReadAt(p[from-off:to-off], s.places[i]+from-f.offset); int64(n) < to-from {
			return int(from-off) + n, err
		}
	}
	return len(p), nil
}

// holeList is where a tar lists the holes of a sparse file.
type holeList string

const (
	notSparse    holeList = ""
	gnuHoles     holeList = "old GNU"
	paxHoles     holeList = "PAX 0.0 and 0.1"
	paxBodyHoles holeList = "PAX 1.0"
	unknownHoles holeList = "unknown"
)

// holesOf says where a member's holes are listed (GNU tar's manual, "Sparse
// Formats"), as archive/tar takes it: what has no version and no list is read like
// any file.
func holesOf(h *tar.Header) holeList {
	major, minor := h.PAXRecords[paxSparse+"major"], h.PAXRecords[paxSparse+"minor"]
	switch {
	case h.Typeflag == tar.TypeGNUSparse:
		return gnuHoles
	case major == "1" && minor == "0":
		return paxBodyHoles
	case major == "0" && (minor == "0" || minor == "1"):
		return paxHoles
	case major != "" || minor != "" || h.PAXRecords["SCHILY.realsize"] != "":
		return unknownHoles
	case h.PAXRecords[paxSparse+"map"] != "":
		return paxHoles
	}
	return notSparse
}

// sparse gives the sparse member whose headers begin at first and whose data at,
// and where that ends. archive/tar has verified the list of holes, and keeps it to
// itself.
func (a *Tar) sparse(h *tar.Header, first, at int64) (part *io.SectionReader, end int64, err error) {
	if err := a.quota.Add(h.Size); err != nil {
		return nil, 0, err
	}
	header, err := findHeader(a.file, first)
	if err != nil {
		return nil, 0, err
	}
	size, err := header.bodySize(h)
	if err != nil {
		return nil, 0, err
	}
	end = header.end + size
	var numbers []int64
	switch form := holesOf(h); form {
	case gnuHoles:
		numbers, err = header.holes(a.file)
		end = at + size // more of the list may be between
	case paxHoles:
		numbers, err = parseNumbers(h.PAXRecords[paxSparse+"map"], ",")
	case paxBodyHoles:
		numbers, err = listedIn(a.file, header.end, at)
	default:
		err = errors.New("its holes are listed in a form that is not known")
	}
	if err != nil {
		return nil, 0, err
	}
	file, behind, err := a.sparseFile(numbers, at)
	if err != nil {
		return nil, 0, err
	}
	if behind != end {
		return nil, 0, errSparse
	}
	return io.NewSectionReader(file, 0, h.Size), end, nil
}

// sparseFile makes a file of a list of offsets and sizes whose data begins at, and
// says where that ends.
func (a *Tar) sparseFile(numbers []int64, at int64) (*sparseFile, int64, error) {
	if a.fragments += len(numbers) / 2; a.fragments > maxFragments {
		return nil, 0, fmt.Errorf("its sparse files have more than %d fragments", maxFragments)
	}
	s := &sparseFile{tar: a.file}
	before := int64(0)
	for pair := range slices.Chunk(numbers, 2) {
		if len(pair) < 2 || pair[0] < before || pair[1] < 0 || pair[1] > math.MaxInt64-max(pair[0], at) {
			return nil, 0, errSparse
		}
		s.fragments = append(s.fragments, fragment{pair[0], pair[1]})
		s.places = append(s.places, at)
		before, at = pair[0]+pair[1], at+pair[1]
	}
	return s, at, nil
}
