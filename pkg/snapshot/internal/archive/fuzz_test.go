package archive

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpenTar lists an archive that anybody may have written, and compares the files
// that it finds with those that archive/tar reads one after another.
func FuzzOpenTar(f *testing.F) {
	const size, list, blocks = "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.numblocks"
	var t testing.T
	for _, seed := range [][]byte{
		tarOf(&t, "a", "body", "b->", "a", "c=>", "b", "a", "again"),
		sparsePAX(&t, map[string]string{size: "14", blocks: "2", list: "1,4,9,4"}, "datamore"),
		sparsePAX(&t, map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9", "GNU.sparse.name": "n"}, "1\n1\n4\n"+string(make([]byte, tarBlock-6))+"data"),
		sparseGNU(5),
	} {
		f.Add(seed)
	}
	for _, digits := range []string{
		"fd377a585a000004e6d6b4460200210116000000742fe5a301000d7768617420697320696e736964650000002189c6b8f2291ee50001260e081be0041fb6f37d010000000004595a",
		"425a6839314159265359bc918dfa0000069180400026610c8020002200c2100302810f846c34fc5dc914e14242f24637e8",
	} {
		seed, err := hex.DecodeString(digits)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "a.tar")
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := OpenTar(t.Context(), path, Options{MaxBytes: limit})
		if err != nil {
			return
		}
		defer func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}()
		for _, document := range []Document{OCIIndex, DockerManifest} {
			a.reads = document
			if _, err := a.Index(t.Context()); err != nil && err.Error() == "" {
				t.Errorf("%s: an error without a text", document)
			}
		}
		compare(t, a)
	})
}

// compare reads an archive's files in the order of the tar; the last of a name counts.
func compare(t *testing.T, a *Tar) {
	t.Helper()
	info, err := a.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string][]byte)
	r := tar.NewReader(io.NewSectionReader(a.file, 0, info.Size()))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("archive/tar reads no further: %v", err)
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
			if want[clean(h.Name)], err = io.ReadAll(r); err != nil {
				t.Fatalf("reading %q: %v", h.Name, err)
			}
		case tar.TypeLink, tar.TypeSymlink:
			delete(want, clean(h.Name)) // what it leads to is not known here
		}
	}
	for name, data := range want {
		part := a.parts[name]
		if part == nil {
			t.Errorf("%q is missing", name)
			continue
		}
		got := make([]byte, part.Size())
		if n, err := part.ReadAt(got, 0); n < len(got) || !bytes.Equal(got, data) {
			t.Errorf("%q: %q, %v, want %q", name, got, err, data)
		}
	}
}
