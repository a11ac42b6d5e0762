package integration_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// smallName is what small is called in every store.
const smallName = "example.com/small:1"

// small is an image whose pull, unpacking and export take a tenth of a second:
// three layers that need an overlay, links, xattrs of a file and of a directory
// (which are read by other calls), a whiteout, and a body that is larger than a
// buffer.
func small() imagetest.Image {
	body := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{8})
	_, _ = random.Read(body) // never fails
	data := imagetest.File("data", 0o644, "")
	data.Body = body
	base := imagetest.Layer{imagetest.Dir("d", 0o755), imagetest.File("d/f", 0o644, "f").Xattr("user.f", "1"), imagetest.Link("d/g", "d/f"), imagetest.File("gone", 0o644, "")}
	for i := range 20 {
		base = append(base, imagetest.File("d/many"+strconv.Itoa(i), 0o600, strings.Repeat("x", i*100)))
	}
	return imagetest.Image{Layers: []imagetest.Layer{
		base,
		{imagetest.Dir("e", 0o700).Xattr("user.f", "1"), imagetest.Symlink("e/s", "../d/f"), imagetest.FIFO("e/p", 0o600), data},
		{imagetest.Whiteout("", "gone"), imagetest.Dir("d", 0o755), imagetest.File("d/f", 0o600, "changed")},
	}}
}

// seeded gives the random numbers of a test, from SEED where that is set, and
// says which: a failure can be had again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("reading SEED: %v", err)
		}
	}
	t.Logf("SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// rounds is how often a test that goes by chance is run: SOAK, else few.
func rounds(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("reading SOAK: %v", err)
	}
	return n
}

// inMemory has the temporary folders of a test in memory where that can be: it
// makes thousands of stores, of which each wants its writes on the disk.
func inMemory(t *testing.T) {
	t.Helper()
	const tmpfs = "/dev/shm"
	if info, err := os.Stat(tmpfs); err == nil && info.IsDir() {
		t.Setenv("TMPDIR", tmpfs)
	}
}

// regularFiles lists the regular files below dir, but for databases.
func regularFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) != ".db" {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// outputDir is a folder for one output, looked at after each run.
type outputDir struct {
	dir  string
	want []byte
}

func (o outputDir) file() string { return filepath.Join(o.dir, "out.tar") }

// check holds that the folder has the whole output, or nothing where the run
// may not have written it, and empties it.
func (o outputDir) check(t *testing.T, must, may bool) {
	t.Helper()
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "out.tar" {
			t.Errorf("beside the output there is %q", e.Name())
		}
		data, err := os.ReadFile(filepath.Join(o.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !may {
			t.Errorf("a run that failed left %q with %d bytes", e.Name(), len(data))
		} else if !bytes.Equal(data, o.want) {
			t.Errorf("%q has %d wrong bytes, want %d", e.Name(), len(data), len(o.want))
		}
		if err := os.RemoveAll(filepath.Join(o.dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if must && len(entries) == 0 {
		t.Error("a run that succeeded left no output")
	}
}
