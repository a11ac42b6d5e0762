package export_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

var randomNames = []string{"a", "b", "a-b", "etc", "x.txt", "\xff"}

// randomTree has directories, files, symlinks, hard links and sockets.
func randomTree(r *rand.Rand) *exporttest.MemTree {
	dirs := []string{""}
	seen := map[string]bool{}
	var entries []*export.Entry
	for range r.IntN(40) {
		path := strings.TrimPrefix(dirs[r.IntN(len(dirs))]+"/"+randomNames[r.IntN(len(randomNames))], "/")
		if seen[path] {
			continue
		}
		seen[path] = true
		switch r.IntN(8) {
		case 0, 1, 2:
			dirs = append(dirs, path)
			entries = append(entries, exporttest.Dir(path))
		case 3:
			entries = append(entries, exporttest.Link(path, randomPath(r)))
		case 4:
			entries = append(entries, exporttest.HardLinked(exporttest.File(path, "linked"), 1, 1+r.Uint64N(3)))
		case 5:
			entries = append(entries, exporttest.HardLinked(exporttest.Node(path, export.FIFO), 2, 1+r.Uint64N(2)))
		case 6:
			entries = append(entries, exporttest.HardLinked(exporttest.Node(path, export.Socket), 3, 1))
		default:
			entries = append(entries, exporttest.File(path, path))
		}
	}
	return exporttest.New(entries...)
}

func randomPath(r *rand.Rand) string {
	path := ""
	for range 1 + r.IntN(3) {
		path += "/" + append(randomNames, "..")[r.IntN(len(randomNames)+1)]
	}
	return path[r.IntN(2):]
}

func randomPatterns(r *rand.Rand) []string {
	var patterns []string
	for range r.IntN(4) {
		p := []string{"", "!"}[r.IntN(2)] + []string{"", "*/", "**/"}[r.IntN(3)]
		patterns = append(patterns, p+randomNames[r.IntN(5)])
	}
	return patterns
}

// decorate puts two or three random decorators over a tree, in a random order.
func decorate(r *rand.Rand, tree export.Tree, did *[]string) (export.Tree, error) {
	for range 1 + r.IntN(3) {
		var err error
		switch r.IntN(4) {
		case 0:
			rules := export.Rules{Exclude: randomPatterns(r), Include: randomPatterns(r)}
			*did = append(*did, fmt.Sprintf("filter %q", rules))
			tree, err = export.NewFilter(tree, rules)
		case 1, 2:
			var made []export.Made
			for range 1 + r.IntN(3) {
				m := export.Made{Path: randomPath(r), Type: export.Regular, Content: []byte("made"), IfMissing: r.IntN(3) == 0}
				if r.IntN(3) == 0 {
					m.Type, m.Content = export.Directory, nil
				}
				*did = append(*did, fmt.Sprintf("insert %q %s if missing: %t", m.Path, m.Type, m.IfMissing))
				made = append(made, m)
			}
			tree = export.Insert(tree, made)
		default:
			*did = append(*did, "prefix p/q")
			tree, err = export.Prefix(tree, "p/q", time.Unix(0, 0))
		}
		if err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// Whatever is put over a tree, no name comes twice, no link leads to a name that
// is not there before it, and parents come first: the Recorder checks that.
func TestDecoratorsKeepThePromises(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	refused := 0
	const runs = 3000
	for i := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, i))
		var did []string
		tree, err := decorate(r, randomTree(r), &did)
		if err != nil {
			t.Fatalf("seed %d, run %d: %v", seed, i, err)
		}
		var s exporttest.Recorder
		_, err = export.Write(t.Context(), exporttest.Validate(tree), &s)
		if err == nil {
			continue
		}
		refused++
		// A made file may be impossible, and says so; nothing else may fail.
		if !strings.HasPrefix(err.Error(), "making ") {
			t.Fatalf("seed %d, run %d: %v\nafter %s\n%s", seed, i, err, strings.Join(did, "; "), strings.Join(s.Lines, "\n"))
		}
	}
	if refused > runs/2 {
		t.Errorf("seed %d: %d of %d runs were refused: the test says too little", seed, refused, runs)
	}
}
