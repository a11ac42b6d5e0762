package layers

import (
	"archive/tar"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// TestSameAsModel compares with layer.md taken by the letter: each layer changes
// a plain map of paths.
func TestSameAsModel(t *testing.T) {
	for _, seed := range seeds(3000) {
		layers := randomImage(seed, asSpec)
		tree, err := openImage(t, Options{}, tarsOf(layers)...)
		if err != nil {
			t.Fatalf("%v\nthe image of seed %d:\n%s", err, seed, script(layers))
		}
		got, want := list(t, tree), applyModel(layers).list()
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("layers (got) and model (want) differ:\n%s\nthe image of seed %d (again: -layers.seed=%d):\n%s",
				differences(got, want), seed, seed, script(layers))
		}
	}
}

// modelFile is an inode of the model; names in a root may share one.
type modelFile struct {
	item
	implied bool
}

type modelRoot map[string]*modelFile

func applyModel(layers []layer) modelRoot {
	root := modelRoot{}
	for _, l := range layers {
		root = root.apply(l)
	}
	return root
}

// apply gives the root after one more layer: marks first, then entries in order.
func (r modelRoot) apply(l layer) modelRoot {
	upper, before := modelRoot{}, modelRoot{}
	for p, f := range r {
		upper[p], before[p] = f, f
	}
	for _, i := range l {
		dir, base := path.Split(path.Join("/", i.Name))
		if base == ".wh..wh..opq" {
			upper.removeBelow(path.Clean(dir))
		} else if hidden, is := strings.CutPrefix(base, ".wh."); is {
			upper.remove(path.Join(dir, hidden))
		}
	}
	own := map[string]bool{}
	for _, i := range l {
		upper.add(i, before, own)
	}
	return upper
}

func (r modelRoot) removeBelow(dir string) {
	for p := range r {
		if strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") {
			delete(r, p)
		}
	}
}

func (r modelRoot) remove(p string) {
	delete(r, p)
	r.removeBelow(p)
}

// add puts an entry into the root; own are the paths that its layer made, and
// before is the root below the layer.
func (r modelRoot) add(i item, before modelRoot, own map[string]bool) {
	p := path.Join("/", i.Name)
	mark := strings.HasPrefix(path.Base(p), ".wh.")
	onlyOpaque := path.Base(p) == ".wh..wh..opq"
	r.addParents(path.Dir(p), onlyOpaque, own)
	if mark {
		return
	}
	old := r[p]
	file := &modelFile{item: i}
	if i.Typeflag == tar.TypeLink {
		file = r.linked(i, before, own)
	}
	if old == nil || old.Typeflag != tar.TypeDir || i.Typeflag != tar.TypeDir {
		r.remove(p)
	} else if own[p] { // named twice in a layer: containerd sets both headers' xattrs
		for k, v := range old.PAXRecords {
			if _, again := i.PAXRecords[k]; !again {
				file.item = file.xattr(strings.TrimPrefix(k, xattrRecord), v)
			}
		}
	}
	r[p], own[p] = file, true
}

// linked gives the file that a hard link is to, with the link's attributes.
func (r modelRoot) linked(i item, before modelRoot, own map[string]bool) *modelFile {
	target := path.Join("/", i.Linkname)
	file := before[target]
	if own[target] {
		file = r[target]
	}
	file.Uid, file.Gid, file.ModTime = i.Uid, i.Gid, i.ModTime
	if file.Typeflag != tar.TypeSymlink {
		file.Mode = i.Mode
	}
	for k, v := range i.PAXRecords {
		file.item = file.xattr(strings.TrimPrefix(k, xattrRecord), v)
	}
	return file
}

// addParents makes the directories that a path mentions. One in which something
// is made without its layer naming it has the implied time.
func (r modelRoot) addParents(dir string, onlyOpaque bool, own map[string]bool) {
	if dir == "/" {
		return
	}
	names := strings.Split(dir, "/")[1:]
	for i := range names {
		p := "/" + strings.Join(names[:i+1], "/")
		f := r[p]
		if f == nil || f.Typeflag != tar.TypeDir {
			r.remove(p)
			made := entry(tar.TypeDir, p, 0o755)
			r[p] = &modelFile{made, true}
			continue
		}
		if !own[p] && !(onlyOpaque && p == dir) && !f.implied {
			r[p] = &modelFile{f.item, true}
		}
	}
}

// list writes the model as list writes a tree.
func (r modelRoot) list() string {
	var paths []string
	for p := range r {
		paths = append(paths, p[1:])
	}
	slices.SortFunc(paths, export.Compare)
	first := map[*modelFile]string{}
	var out strings.Builder
	for _, p := range paths {
		f := r["/"+p]
		line := f.describe(p)
		if was, seen := first[f]; seen {
			line += " => " + was
		} else {
			first[f] = p
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func (f *modelFile) describe(p string) string {
	letter := map[byte]string{tar.TypeReg: "f", tar.TypeDir: "d", tar.TypeSymlink: "l", tar.TypeChar: "c", tar.TypeFifo: "p"}[f.Typeflag]
	line := fmt.Sprintf("%s%04o %q", letter, f.Mode, p)
	if f.Uid != 0 || f.Gid != 0 {
		line += fmt.Sprintf(" %d:%d", f.Uid, f.Gid)
	}
	switch {
	case f.implied:
		line += " implied"
	case !f.ModTime.Equal(entryTime):
		line += fmt.Sprintf(" @%d.%09d", f.ModTime.Unix(), f.ModTime.Nanosecond())
	}
	var keys []string
	for k := range f.PAXRecords {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		line += fmt.Sprintf(" {%q=%q}", strings.TrimPrefix(k, xattrRecord), f.PAXRecords[k])
	}
	if f.Typeflag == tar.TypeSymlink {
		line += fmt.Sprintf(" -> %q", f.Linkname)
	}
	if f.Typeflag == tar.TypeChar {
		line += fmt.Sprintf(" %d,%d", f.Devmajor, f.Devminor)
	}
	if f.body != "" {
		line += fmt.Sprintf(" %q", f.body)
	}
	return line
}
