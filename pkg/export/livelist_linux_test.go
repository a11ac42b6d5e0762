package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// flickering is a tree whose name path is away while its attributes are read.
type flickering struct {
	export.Tree
	path       string
	away, back func()
}

func (t flickering) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return t.Tree.Walk(ctx, func(e *export.Entry) error {
		if e.Path != t.path {
			return visit(e)
		}
		shown := *e
		shown.Xattrs = func(ctx context.Context) ([]export.Xattr, error) {
			t.away()
			defer t.back()
			return e.Xattrs(ctx)
		}
		return visit(&shown)
	})
}

// TestListLooksAgain lists a tree in which a name moves under the listing: what
// stands there then is listed, as Write writes it, and only what is not there any
// more has vanished.
func TestListLooksAgain(t *testing.T) {
	for name, c := range map[string]struct {
		back          func(dir string) error
		want, changed string
	}{
		"replaced": {func(dir string) error { return replaceFile(dir, "d/f", "another") }, "d 0|d/f 7", ""},
		"vanished": {func(string) error { return nil }, "d 0", `"d/f" vanished while it was read: it is left out`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "d/f"), []byte("old"), 0o644))
			live := liveTree(t, dir)
			tree := flickering{
				Tree: live, path: "d/f",
				away: func() { must(t, os.Remove(filepath.Join(dir, "d/f"))) },
				back: func() { must(t, c.back(dir)) },
			}
			var lines []string
			_, err := export.List(t.Context(), tree, func(r *export.Record) error {
				lines = append(lines, fmt.Sprintf("%s %d", r.Path, r.Size))
				return nil
			})
			must(t, err)
			if got := strings.Join(lines, "|"); got != c.want || changesOf(t, live) != c.changed {
				t.Errorf("it lists %s, want %s; changes %q, want %q", got, c.want, changesOf(t, live), c.changed)
			}
		})
	}
}
