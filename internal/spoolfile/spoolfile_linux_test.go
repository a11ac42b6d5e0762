package spoolfile

import (
	"io"
	"os"
	"testing"
)

// TestFile has every way of every system: what was written is read, nothing has a
// name while the file is open, where that can be, or when it is closed.
func TestFile(t *testing.T) {
	for name, way := range map[string]struct {
		open func(string) (*File, error)
		seen int // while the file is open
	}{
		"Linux":         {Open, 0},
		"other systems": {unlinked, 0},
		"Windows":       {named, 1},
	} {
		dir := t.TempDir()
		f, err := way.open(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := f.WriteString("spooled"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := make([]byte, 7)
		if _, err := f.ReadAt(got, 0); err != nil && err != io.EOF || string(got) != "spooled" {
			t.Errorf("%s: read %q (%v)", name, got, err)
		}
		if names, err := os.ReadDir(dir); err != nil || len(names) != way.seen {
			t.Errorf("%s: while it is open there is %v (%v)", name, names, err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: after closing there is %v (%v)", name, left, err)
		}
	}
}

func TestNoFolder(t *testing.T) {
	if f, err := Open(t.TempDir() + "/gone"); !os.IsNotExist(err) {
		t.Errorf("a folder that is not there: %v, %v", f, err)
	}
}
