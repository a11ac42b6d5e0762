package listing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Entry is one name of a root filesystem. Its text form is its identity: two
// entries with the same line are the same.
type Entry struct {
	// Path is relative, without a trailing slash.
	Path string
	// Type is file, dir, symlink, char, block, fifo or socket.
	Type     string
	Mode     uint32
	UID, GID uint32
	Size     int64
	Sec      int64
	Nsec     int64
	Target   string
	// Device is "major,minor" of a device, else empty.
	Device string
	// SHA256 is of a regular file's bytes, in hex.
	SHA256 string
	// Group is the first path, in walk order, of the entry's link group, and
	// empty where the entry has one name only.
	Group  string
	Xattrs map[string]string
}

// Listing is entries in walk order: siblings by bytes, depth first.
type Listing []Entry

// String is the entry's line, with everything that is not printable quoted.
func (e Entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %04o %d:%d", strconv.QuoteToASCII(e.Path), e.Type, e.Mode, e.UID, e.GID)
	if e.Type == "file" {
		fmt.Fprintf(&b, " size=%d sha256=%.16s", e.Size, e.SHA256)
	}
	fmt.Fprintf(&b, " time=%d.%09d", e.Sec, e.Nsec)
	if e.Target != "" {
		fmt.Fprintf(&b, " target=%s", strconv.QuoteToASCII(e.Target))
	}
	if e.Device != "" {
		fmt.Fprintf(&b, " device=%s", e.Device)
	}
	if e.Group != "" {
		fmt.Fprintf(&b, " group=%s", strconv.QuoteToASCII(e.Group))
	}
	names := make([]string, 0, len(e.Xattrs))
	for name := range e.Xattrs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " %s=%s", strconv.QuoteToASCII(name), strconv.QuoteToASCII(e.Xattrs[name]))
	}
	return b.String()
}

// String is a line for each entry.
func (l Listing) String() string {
	var b strings.Builder
	for _, e := range l {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// Edit gives a copy in which change has been applied to every entry; an entry
// for which it returns false is left out. A reader's known losses are written
// this way.
func (l Listing) Edit(change func(*Entry) (keep bool)) Listing {
	out := make(Listing, 0, len(l))
	for _, e := range l {
		if change(&e) {
			out = append(out, e)
		}
	}
	return out
}

// Regroup gives a copy whose link groups are named by their first path that is
// left, after Edit has taken names away or out of their groups.
func (l Listing) Regroup() Listing {
	count, first := map[string]int{}, map[string]string{}
	for _, e := range l {
		count[e.Group]++
		if count[e.Group] == 1 {
			first[e.Group] = e.Path
		}
	}
	return l.Edit(func(e *Entry) bool {
		if e.Group == "" || count[e.Group] == 1 {
			e.Group = ""
		} else {
			e.Group = first[e.Group]
		}
		return true
	})
}

// maxDiffLines keeps the output of a failed test readable.
const maxDiffLines = 20

// Diff is empty where both are the same, else a few lines of what is in want
// only (-) and in got only (+).
func Diff(want, got Listing) string {
	var lines []string
	for len(want) > 0 || len(got) > 0 {
		switch order(want, got) {
		case -1:
			lines = append(lines, "- "+short(want[0]))
			want = want[1:]
		case 1:
			lines = append(lines, "+ "+short(got[0]))
			got = got[1:]
		default:
			if want[0].String() != got[0].String() {
				lines = append(lines, "- "+short(want[0]), "+ "+short(got[0]))
			}
			want, got = want[1:], got[1:]
		}
	}
	if len(lines) > maxDiffLines {
		lines = append(lines[:maxDiffLines], fmt.Sprintf("... and %d lines more", len(lines)-maxDiffLines))
	}
	return strings.Join(lines, "\n")
}

// order says which listing has the earlier first entry.
func order(want, got Listing) int {
	switch {
	case len(want) == 0:
		return 1
	case len(got) == 0:
		return -1
	}
	return Compare(want[0].Path, got[0].Path)
}

// short is an entry's line, cut where a name or an xattr is very long.
func short(e Entry) string {
	const limit = 400
	line := e.String()
	if len(line) > limit {
		return line[:limit] + "..."
	}
	return line
}

// Compare orders paths as a walk does: "/" before every other byte.
func Compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if a[i] == '/' || (b[i] != '/' && a[i] < b[i]) {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
