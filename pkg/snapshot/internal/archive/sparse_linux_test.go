package archive

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writers pack a folder's files with their holes, each in a form of its own.
func writers() map[string][]string {
	return map[string][]string{
		"old GNU":        {"tar", "--format=gnu", "-S", "-cf"},
		"PAX 0.0":        {"tar", "--format=pax", "-S", "--sparse-version=0.0", "-cf"},
		"PAX 0.1":        {"tar", "--format=pax", "-S", "--sparse-version=0.1", "-cf"},
		"PAX 1.0":        {"tar", "--format=pax", "-S", "--sparse-version=1.0", "-cf"},
		"bsdtar":         {"bsdtar", "-cf"},
		"records of all": {"tar", "--format=pax", "-S", "--pax-option=comment=all", "-cf"},
	}
}

// holes are contents by the name of a file: data and holes in all places, and so
// many that no header has room for them.
func holes() map[string][]byte {
	const block = 64 << 10
	hole, data := make([]byte, block), bytes.Repeat([]byte("data"), block/4)
	many := make([]byte, 0, 120*block)
	for i := range 60 {
		many = append(append(many, hole...), bytes.Repeat([]byte{byte(i + 1)}, block)...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	return map[string][]byte{
		"all": make([]byte, 5*block+17), "begins": join(hole, data), "ends": join(data, hole, hole[:100]),
		"within": join(data, hole, data, hole, data[:33]), "many": many, "none": data, "empty": {},
		"longname" + strings.Repeat("x", 150): join(hole, data, hole),
	}
}

// TestSparse reads what tar and bsdtar pack of files with holes, here and there.
func TestSparse(t *testing.T) {
	dir := t.TempDir()
	want := holes()
	for name, data := range want {
		writeHoles(t, filepath.Join(dir, name), data)
	}
	for form, command := range writers() {
		t.Run(form, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.tar")
			args := slices.Concat(command[1:], []string{path, "-C", dir, "."})
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skipf("SKIPPED: %v", err)
			}
			if out, err := exec.CommandContext(t.Context(), command[0], args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if info, err := os.Stat(path); err != nil || info.Size() > int64(len(want["many"])) {
				t.Fatalf("%s: not packed with its holes: %v, %v", form, info.Size(), err)
			}
			a, err := OpenTar(t.Context(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range want {
				checkHoles(t, name, a.parts[name], data)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// writeHoles writes a file whose zeros are holes where they fill blocks.
func writeHoles(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(len(data))); err != nil {
		t.Fatal(err)
	}
	const block = 4 << 10
	for at := 0; at < len(data); at += block {
		part := data[at:min(at+block, len(data))]
		if len(bytes.Trim(part, "\x00")) == 0 {
			continue
		}
		if _, err := f.WriteAt(part, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
}

// checkHoles reads a part whole, and at random places.
func checkHoles(t *testing.T, name string, part *io.SectionReader, want []byte) {
	t.Helper()
	if part == nil || part.Size() != int64(len(want)) {
		t.Errorf("%.10q: it is %v, want %d bytes", name, part, len(want))
		return
	}
	got := make([]byte, len(want))
	if n, err := part.ReadAt(got, 0); n != len(want) || !bytes.Equal(got, want) {
		t.Errorf("%.10q: %d bytes of %d, other ones: %v, %v", name, n, len(want), !bytes.Equal(got, want), err)
	}
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	for range 60 {
		if len(want) == 0 {
			break
		}
		at := random.IntN(len(want))
		got := bytes.Repeat([]byte{0xff}, random.IntN(200_000))
		n, err := part.ReadAt(got, int64(at))
		end := min(at+len(got), len(want))
		if !bytes.Equal(got[:n], want[at:end]) || err != nil && err != io.EOF {
			t.Errorf("%.10q: %d bytes at %d: %d, %v", name, len(got), at, n, err)
		}
	}
}
