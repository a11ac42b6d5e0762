package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestStoreNamedLikeAPattern collects garbage in a directory whose name means
// something to path/filepath.Match.
func TestStoreNamedLikeAPattern(t *testing.T) {
	needRoot(t)
	for _, name := range []string{"st[1", "st[1]", `st\`, "st*"} {
		dir := filepath.Join(t.TempDir(), name)
		s, err := Open(t.Context(), Options{Location: Location{Dir: dir}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Collect(t.Context()); err != nil {
			t.Errorf("store %q, of which there is only the directory: %v", name, err)
		}
		stray := filepath.Join(dir, "content", "ingest", "stray")
		if err := os.MkdirAll(stray, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Collect(t.Context()); err != nil {
			t.Errorf("store %q: %v", name, err)
		}
		if _, err := os.Lstat(stray); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("store %q: the stray ingest is there still (%v)", name, err)
		}
	}
}
