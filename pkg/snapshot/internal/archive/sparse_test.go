package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// sparsePAX is an archive of one file: its PAX records, and what follows its header.
func sparsePAX(t *testing.T, records map[string]string, body string) []byte {
	t.Helper()
	var text strings.Builder
	for key, value := range records {
		line := len(key) + len(value) + 3
		for size := line; ; size++ {
			if digits := fmt.Sprint(size); line+len(digits) == size {
				fmt.Fprintf(&text, "%s %s=%s\n", digits, key, value)
				break
			}
		}
	}
	var out bytes.Buffer
	for _, m := range []struct {
		flag byte
		body string
	}{{tar.TypeXHeader, text.String()}, {tar.TypeReg, body}} {
		block := make([]byte, tarBlock)
		copy(block, "index.json")
		copy(block[124:], fmt.Sprintf("%011o", len(m.body)))
		copy(block[257:], "ustar\x0000")
		block[156] = m.flag
		copy(block[148:], "        ")
		sum := 0
		for _, b := range block {
			sum += int(b)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00", sum))
		out.Write(block)
		out.WriteString(m.body)
		out.Write(make([]byte, int(padded(int64(len(m.body))))-len(m.body)))
	}
	out.Write(make([]byte, 2*tarBlock))
	return out.Bytes()
}

// TestOddSparse reads lists of holes that no writer makes.
func TestOddSparse(t *testing.T) {
	const size, list, blocks = "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.numblocks"
	version := func(major, minor string) map[string]string {
		return map[string]string{"GNU.sparse.major": major, "GNU.sparse.minor": minor, "GNU.sparse.name": "index.json", "GNU.sparse.realsize": "14"}
	}
	body := func(text, data string) string { return text + strings.Repeat("\x00", tarBlock-len(text)) + data }
	const content = "\x00data\x00\x00\x00\x00more\x00"
	for _, c := range []struct {
		name    string
		records map[string]string
		body    string
		want    string // the file, or the error
	}{
		{"0.1", map[string]string{size: "14", blocks: "2", list: "1,4,9,4"}, "datamore", content},
		{"1.0", version("1", "0"), body("2\n1\n4\n9\n4\n", "datamore"), content},
		{"1.0, a fragment without data", version("1", "0"), body("3\n1\n4\n9\n4\n14\n0\n", "datamore"), content},
		{"no list", map[string]string{size: "8", blocks: "0"}, "datamore", "datamore"},
		{"a hole alone", map[string]string{size: "3", blocks: "1", list: "3,0"}, "", "\x00\x00\x00"},
		{"data left", map[string]string{size: "14", blocks: "1", list: "1,4"}, "datamore", errSparse.Error()},
		{"1.0, data left", version("1", "0"), body("1\n1\n4\n", "datamore"), errSparse.Error()},
		{"data missing", map[string]string{size: "14", blocks: "1", list: "1,12"}, "datamore", errSparse.Error()},
		{"overlapping", map[string]string{size: "14", blocks: "2", list: "1,4,3,4"}, "datamore", tar.ErrHeader.Error()},
		{"no numbers", map[string]string{size: "14", blocks: "1", list: "a,b"}, "datamore", tar.ErrHeader.Error()},
		{"2.0", version("2", "0"), "datamore", "its holes are listed in a form that is not known"},
		{"star's", map[string]string{"SCHILY.realsize": "14"}, "datamore", "its holes are listed in a form that is not known"},
		{"8 EiB", map[string]string{size: "9223372036854775807", blocks: "1", list: "9223372036854775807,0"}, "", inflate.ErrLimit.Error()},
	} {
		a, err := opened(t, sparsePAX(t, c.records, c.body), OCIIndex)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		got := make([]byte, a.parts["index.json"].Size())
		if _, err := a.parts["index.json"].ReadAt(got, 0); err != nil && err != io.EOF || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestSparseIsBounded reads an archive whose sparse files have more with their holes
// than is allowed, and more fragments.
func TestSparseIsBounded(t *testing.T) {
	records := map[string]string{"GNU.sparse.size": "1000", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,0"}
	one := sparsePAX(t, records, "")
	two := slices.Concat(one[:len(one)-2*tarBlock], one)
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, two, 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, fits := range map[int64]bool{2000: true, 1999: false} {
		a, err := OpenTar(t.Context(), path, Options{MaxBytes: limit})
		if fits != (err == nil) || !fits && !strings.Contains(err.Error(), inflate.ErrLimit.Error()) {
			t.Errorf("MaxBytes %d: %v", limit, err)
		}
		if err == nil {
			err = a.Close()
			if err != nil {
				t.Error(err)
			}
		}
	}
	a := newTar(nil, Options{})
	a.fragments = maxFragments - 1
	if _, _, err := a.sparseFile([]int64{0, 0}, 0); err != nil {
		t.Errorf("the last fragment: %v", err)
	}
	if _, _, err := a.sparseFile([]int64{0, 0}, 0); err == nil {
		t.Error("more fragments than are allowed are read")
	}
}

// sparseGNU is an archive of one file in GNU tar's old form, with a byte of data in
// each of its fragments, of which four have room in its header.
func sparseGNU(fragments int) []byte {
	const every = 100
	header := make([]byte, tarBlock)
	copy(header, "index.json")
	copy(header[100:], "0000644\x00")
	copy(header[124:], fmt.Sprintf("%011o", fragments))
	copy(header[257:], "ustar  \x00")
	header[156] = tar.TypeGNUSparse
	copy(header[483:], fmt.Sprintf("%011o", fragments*every))
	list, room := header[386:], 4
	blocks := []([]byte){header}
	for i := range fragments {
		if room == 0 {
			more := make([]byte, tarBlock)
			if last := blocks[len(blocks)-1]; len(blocks) == 1 {
				last[482] = 1
			} else {
				last[504] = 1
			}
			blocks, list, room = append(blocks, more), more, 21
		}
		copy(list, fmt.Sprintf("%011o", i*every+50))
		copy(list[12:], fmt.Sprintf("%011o", 1))
		list, room = list[24:], room-1
	}
	resummed(header)
	body := bytes.Repeat([]byte("d"), fragments)
	return append(append(bytes.Join(blocks, nil), append(body, make([]byte, int(padded(int64(fragments)))-fragments)...)...), make([]byte, 2*tarBlock)...)
}

// TestSparseGNU reads lists that go on in blocks of their own.
func TestSparseGNU(t *testing.T) {
	for _, fragments := range []int{0, 1, 4, 5, 25, 26, 600} {
		a, err := opened(t, sparseGNU(fragments), OCIIndex)
		if err != nil {
			t.Errorf("%d fragments: %v", fragments, err)
			continue
		}
		compare(t, a)
		if got := a.parts["index.json"].Size(); got != int64(fragments*100) {
			t.Errorf("%d fragments: %d bytes", fragments, got)
		}
	}
}
