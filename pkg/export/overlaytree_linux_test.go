package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// TestOverlayTree compares with what the kernel's overlayfs makes of the same
// directories.
func TestOverlayTree(t *testing.T) {
	needRoot(t)
	first, count := uint64(time.Now().UnixNano()), uint64(300)
	if text := os.Getenv("SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		must(t, err)
		first, count = seed, 1
	}
	for seed := first; seed < first+count; seed++ {
		l := layerMaker{r: rand.New(rand.NewPCG(seed, 0))}
		same := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			l.base = t.TempDir()
			l.make(t)
			compareWithOverlay(t, l.base, l.names)
		})
		if !same {
			t.Fatalf("again by SEED=%d; the layers, the topmost first:\n%s", seed, strings.Join(l.did, "\n"))
		}
	}
}

// layerMaker makes layers of few names, so that they meet.
type layerMaker struct {
	base  string
	names []string // of the layers, the topmost first
	r     *rand.Rand
	did   []string
}

func (l *layerMaker) make(t *testing.T) {
	for i := range 2 + l.r.IntN(4) {
		name := fmt.Sprintf("%d/fs", i)
		l.names = append(l.names, name)
		must(t, os.MkdirAll(filepath.Join(l.base, name), 0o755))
		l.did = append(l.did, name)
		for range 1 + l.r.IntN(12) {
			l.put(t, filepath.Join(l.base, name))
		}
		if l.r.IntN(4) == 0 { // overlayfs ignores it
			must(t, unix.Lsetxattr(filepath.Join(l.base, name), "trusted.overlay.opaque", []byte("y"), 0))
		}
	}
}

// put makes one name of a layer, and the directories above it.
func (l *layerMaker) put(t *testing.T, layer string) {
	var names []string
	for range 1 + l.r.IntN(3) {
		names = append(names, string(rune('a'+l.r.IntN(3))))
	}
	at := filepath.Join(append([]string{layer}, names...)...)
	if os.MkdirAll(filepath.Dir(at), 0o755) != nil {
		return // something else is there
	}
	kind := l.r.IntN(8)
	var err error
	switch kind {
	case 0, 1:
		err = os.Mkdir(at, 0o700+os.FileMode(l.r.IntN(8)))
	case 2:
		if err = os.MkdirAll(at, 0o755); err == nil {
			err = unix.Lsetxattr(at, "trusted.overlay.opaque", []byte("y"), 0)
		}
	case 3, 4:
		err = unix.Mknod(at, unix.S_IFCHR, 0)
	case 5:
		err = os.Symlink(string(rune('a'+l.r.IntN(3))), at)
	case 6:
		err = os.Link(filepath.Join(layer, string(rune('a'+l.r.IntN(3)))), at)
	default:
		err = os.WriteFile(at, []byte(strings.Join(l.names, " ")), 0o600)
		if err == nil {
			err = unix.Lsetxattr(at, "trusted.overlay.origin", []byte("1"), 0)
		}
	}
	l.did = append(l.did, fmt.Sprintf("  %d %s: %v", kind, strings.Join(names, "/"), err))
}

func compareWithOverlay(t *testing.T, base string, names []string) {
	t.Helper()
	got, want := overlayTree(t, base, names...), kernelOverlay(t, base, names)
	if got, want := tarOf(t, got), tarOf(t, want); !bytes.Equal(got, want) {
		t.Errorf("the tar differs from that of an overlay:\n%q\n%q", treeLines(t, overlayTree(t, base, names...)), treeLines(t, kernelOverlay(t, base, names)))
	}
	for _, path := range append(somePaths, "..", "a/../..", "../"+names[0], "", "/") {
		a, errA := got.Lookup(t.Context(), path)
		b, errB := want.Lookup(t.Context(), path)
		switch {
		case errA == nil && errB == nil:
			if a.Type != b.Type || a.Mode != b.Mode || a.Size != b.Size || a.Target != b.Target || !a.MTime.Equal(b.MTime) {
				t.Errorf("Lookup(%q) = %+v, in an overlay %+v", path, a, b)
			}
		case !errors.Is(errA, fs.ErrNotExist) || !errors.Is(errB, fs.ErrNotExist):
			t.Errorf("Lookup(%q): %v, in an overlay %v", path, errA, errB)
		}
	}
}

// somePaths are all that a layerMaker may make.
var somePaths = func() (all []string) {
	all = append(all, ".")
	for _, a := range "abcd" {
		all = append(all, string(a))
		for _, b := range "abc" {
			all = append(all, fmt.Sprintf("%c/%c", a, b))
			for _, c := range "abc" {
				all = append(all, fmt.Sprintf("%c/%c/%c", a, b, c))
			}
		}
	}
	return all
}()

func tarOf(t *testing.T, tree export.Tree) []byte {
	t.Helper()
	return writeTar(t, exporttest.Validate(tree))
}

func overlayTree(t *testing.T, base string, layers ...string) export.Tree {
	t.Helper()
	tree := export.NewOverlayTree(openPath(t, base), layers)
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

func kernelOverlay(t *testing.T, base string, layers []string) export.Tree {
	t.Helper()
	var options [][2]string
	for _, layer := range layers {
		options = append(options, [2]string{"lowerdir+", filepath.Join(base, layer)})
	}
	return dirTree(t, detached(t, "overlay", options...))
}

// TestOverlayTreeOfManyLayers has each name in another layer, and more layers
// than directories are kept open.
func TestOverlayTreeOfManyLayers(t *testing.T) {
	needRoot(t)
	base := t.TempDir()
	var names []string
	for i := range 200 {
		name := strconv.Itoa(i)
		names = append(names, name)
		must(t, os.MkdirAll(filepath.Join(base, name, "deep", "er"), 0o755))
		must(t, os.WriteFile(filepath.Join(base, name, "deep", "er", name), []byte(name), 0o600))
	}
	compareWithOverlay(t, base, names)
}

// TestOverlayTreeRefuses what only overlayfs could follow.
func TestOverlayTreeRefuses(t *testing.T) {
	needRoot(t)
	for name, mark := range map[string]func(upper string) error{
		"redirect": func(upper string) error {
			return errors.Join(os.Mkdir(upper+"/d", 0o755), unix.Lsetxattr(upper+"/d", "trusted.overlay.redirect", []byte("/c"), 0))
		},
		"metacopy": func(upper string) error {
			return errors.Join(os.WriteFile(upper+"/f", []byte("a"), 0o600), unix.Lsetxattr(upper+"/f", "trusted.overlay.metacopy", nil, 0))
		},
		"opaque": func(upper string) error {
			return errors.Join(os.Mkdir(upper+"/d", 0o755), unix.Lsetxattr(upper+"/d", "trusted.overlay.opaque", []byte("x"), 0))
		},
	} {
		base := t.TempDir()
		must(t, errors.Join(os.MkdirAll(base+"/1/d", 0o755), os.Mkdir(base+"/2", 0o755), mark(base+"/2")))
		_, err := export.Write(t.Context(), overlayTree(t, base, "2", "1"), export.NewTar(&bytes.Buffer{}))
		var readErr *export.ReadError
		if !errors.As(err, &readErr) || !strings.Contains(err.Error(), "trusted.overlay."+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, layers := range map[string][]string{"no such file": {"none"}, "not a directory": {"d", "f"}, "no layers": {}} {
		base := t.TempDir()
		must(t, errors.Join(os.Mkdir(base+"/d", 0o755), os.WriteFile(base+"/f", nil, 0o600)))
		tree := overlayTree(t, base, layers...)
		if _, err := tree.Lookup(t.Context(), "."); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Lookup in %q: %v", layers, err)
		}
		if err := tree.Walk(t.Context(), func(*export.Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", layers, err)
		}
	}
}
