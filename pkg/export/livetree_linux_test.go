package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// walked does something when the walk is over, before what it saw is read.
type walked struct {
	export.Tree
	then func()
}

func (t walked) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	err := t.Tree.Walk(ctx, visit)
	t.then()
	return err
}

func liveTree(t *testing.T, dir string) *export.LiveTree {
	t.Helper()
	root, err := os.Open(dir)
	must(t, err)
	tree, err := export.NewLiveTree(root)
	must(t, err)
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

// TestLiveTreeChanges does to a tree between its walk and its reading what
// others may: what is written is whole, and what changed is told.
func TestLiveTreeChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(dir string) error
		want    string // the lines that differ, without mode and owner
		bodies  map[string]string
		changed string
	}{
		"nothing": {
			change: func(string) error { return nil },
			want:   `"a" 5 bytes|"b" link to "a"|"d"|"d/f" 3 bytes`,
		},
		"a file vanishes": {
			change:  func(dir string) error { return os.Remove(filepath.Join(dir, "d/f")) },
			want:    `"a" 5 bytes|"b" link to "a"|"d"`,
			changed: `"d/f" vanished while it was read: it is left out`,
		},
		"the first name of a link vanishes": {
			change:  func(dir string) error { return os.Remove(filepath.Join(dir, "a")) },
			want:    `"b" 5 bytes|"d"|"d/f" 3 bytes`,
			bodies:  map[string]string{"b": "linke"},
			changed: `"a" vanished while it was read: it is left out`,
		},
		"the first name of a link is replaced": {
			change: func(dir string) error { return replaceFile(dir, "a", "another") },
			want:   `"a" 7 bytes|"b" 5 bytes|"d"|"d/f" 3 bytes`,
			bodies: map[string]string{"a": "another", "b": "linke"},
		},
		"a file is replaced by one of that size": {
			change: func(dir string) error { return replaceFile(dir, "d/f", "new") },
			want:   `"a" 5 bytes|"b" link to "a"|"d"|"d/f" 3 bytes`,
			bodies: map[string]string{"d/f": "new"},
		},
		"a file becomes a symlink": {
			change: func(dir string) error {
				must(t, os.Remove(filepath.Join(dir, "d/f")))
				return os.Symlink("/etc/shadow", filepath.Join(dir, "d/f"))
			},
			want: `"a" 5 bytes|"b" link to "a"|"d"|"d/f" -> "/etc/shadow"`,
		},
		"a file becomes a FIFO": {
			change: func(dir string) error {
				must(t, os.Remove(filepath.Join(dir, "d/f")))
				return unix.Mkfifo(filepath.Join(dir, "d/f"), 0o600)
			},
			want: `"a" 5 bytes|"b" link to "a"|"d"|"d/f"`,
		},
		"a file shrinks": {
			change:  func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), 2) },
			want:    `"a" 5 bytes|"b" link to "a"|"d"|"d/f" 3 bytes`,
			bodies:  map[string]string{"a": "li\x00\x00\x00"},
			changed: `"a" shrank while it was read: it is filled up with zeros`,
		},
		"a file grows": {
			change: func(dir string) error {
				return os.WriteFile(filepath.Join(dir, "a"), []byte("longer than before"), 0)
			},
			want:    `"a" 5 bytes|"b" link to "a"|"d"|"d/f" 3 bytes`,
			bodies:  map[string]string{"a": "longe"},
			changed: `"a" grew while it was read: it is cut at the size it had`,
		},
		"a directory vanishes": {
			change:  func(dir string) error { return os.RemoveAll(filepath.Join(dir, "d")) },
			want:    `"a" 5 bytes|"b" link to "a"|"d"`,
			changed: `"d" vanished while it was read: it may be shown without what it held|"d/f" vanished while it was read: it is left out`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("linke"), 0o644))
			must(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
			must(t, os.WriteFile(filepath.Join(dir, "d/f"), []byte("old"), 0o644))
			live := liveTree(t, dir)
			var sink exporttest.Recorder
			_, err := export.Write(t.Context(), exporttest.Validate(walked{live, func() { must(t, c.change(dir)) }}), &sink)
			must(t, err)
			var lines []string
			for _, line := range sink.Lines {
				lines = append(lines, strings.SplitN(line, " ", 4)[3])
			}
			if got := strings.Join(lines, "|"); got != c.want {
				t.Errorf("it wrote\n%s, want\n%s", got, c.want)
			}
			for path, want := range c.bodies {
				if got := sink.Bodies[path]; got != want {
					t.Errorf("%q holds %q, want %q", path, got, want)
				}
			}
			if got := changesOf(t, live); got != c.changed {
				t.Errorf("it told\n%s, want\n%s", got, c.changed)
			}
		})
	}
}

// replaceFile writes a new file and renames it over the old one.
func replaceFile(dir, name, content string) error {
	fresh := filepath.Join(filepath.Dir(dir), "fresh")
	if err := os.WriteFile(fresh, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(dir, name))
}

func changesOf(t *testing.T, live *export.LiveTree) string {
	t.Helper()
	named, count := live.Changes()
	if int(count) != len(named) {
		t.Errorf("%d changes, and %d of them named", count, len(named))
	}
	var lines []string
	for _, c := range named {
		lines = append(lines, c.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "|")
}

// TestViewForgivesNothing holds that only a live tree is read with patience.
func TestViewForgivesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		change  func(path string) error
	}{
		// One with a content is open by then, and is read as it was.
		"vanished": {"", os.Remove},
		"shrunk":   {"content", func(path string) error { return os.Truncate(path, 1) }},
		"grown":    {"content", func(path string) error { return os.Truncate(path, 100) }},
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "a"), []byte(test.content), 0o644))
		var sink exporttest.Recorder
		_, err := export.Write(t.Context(), walked{dirTree(t, dir), func() { must(t, test.change(filepath.Join(dir, "a"))) }}, &sink)
		if err == nil || sink.Aborted != 1 || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("%s: error %v, aborted %d times", name, err, sink.Aborted)
		}
	}
}

// TestLiveTreeVanishesUnderTheWalk removes names while directories are walked.
func TestLiveTreeVanishesUnderTheWalk(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		sub := filepath.Join(dir, fmt.Sprintf("d%d", i))
		must(t, os.Mkdir(sub, 0o755))
		must(t, os.WriteFile(filepath.Join(sub, "f"), nil, 0o644))
	}
	live := liveTree(t, dir)
	var seen []string
	must(t, live.Walk(t.Context(), func(e *export.Entry) error {
		seen = append(seen, e.Path)
		switch e.Path {
		case "d0": // listed next
			return os.RemoveAll(filepath.Join(dir, "d0"))
		case "d1/f": // looked at next
			return os.RemoveAll(filepath.Join(dir, "d2"))
		}
		return nil
	}))
	if got, want := strings.Join(seen, " "), "d0 d1 d1/f"; got != want {
		t.Errorf("it visited %q, want %q", got, want)
	}
	const want = `"d0" vanished while it was read: it may be shown without what it held|"d2" vanished while it was read: it is left out`
	if got := changesOf(t, live); got != want {
		t.Errorf("it told\n%s, want\n%s", got, want)
	}
}

// TestLiveTreeInodeUsedAgain has a filesystem give an inode's number to another
// file within one walk: two names that are no links.
func TestLiveTreeInodeUsedAgain(t *testing.T) {
	dir := t.TempDir()
	pair := func(name string) uint64 {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(name), 0o644))
		must(t, os.Link(path, path+".link"))
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		return st.Ino
	}
	first := pair("a")
	must(t, os.WriteFile(filepath.Join(dir, "b"), nil, 0o644))
	live := liveTree(t, dir)
	again := false
	keys := map[string]export.LinkKey{}
	must(t, live.Walk(t.Context(), func(e *export.Entry) error {
		keys[e.Path] = e.Link
		if e.Path == "a.link" {
			must(t, os.Remove(filepath.Join(dir, "a")))
			must(t, os.Remove(filepath.Join(dir, "a.link")))
			must(t, os.Remove(filepath.Join(dir, "b")))
			again = pair("b") == first
		}
		return nil
	}))
	if !again {
		t.Skip("SKIPPED: this filesystem does not use the number at once: nothing to be confused")
	}
	if keys["a"] != keys["a.link"] || keys["a"] == keys["b"] || keys["b"] == (export.LinkKey{}) {
		t.Errorf("link keys %+v", keys)
	}
}

// TestLiveTreeMountPoint shows what is mounted below the root as empty.
func TestLiveTreeMountPoint(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "mnt", "below"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "hosts"), []byte("below"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "zz"), []byte("last"), 0o644))
	must(t, unix.Mount("tmpfs", filepath.Join(dir, "mnt"), "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(dir, "mnt"), 0)) })
	must(t, os.WriteFile(filepath.Join(dir, "mnt", "secret"), []byte("of another"), 0o644))
	must(t, unix.Mount(filepath.Join(dir, "mnt", "secret"), filepath.Join(dir, "hosts"), "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(dir, "hosts"), 0)) })
	live := liveTree(t, dir)
	var sink exporttest.Recorder
	_, err := export.Write(t.Context(), exporttest.Validate(live), &sink)
	must(t, err)
	if len(sink.Lines) != 3 || sink.Bodies["hosts"] != "" || sink.Bodies["zz"] != "last" {
		t.Errorf("it wrote %q, with the bodies %q", sink.Lines, sink.Bodies)
	}
	if _, err := live.Lookup(t.Context(), "mnt/secret"); err == nil {
		t.Error("it finds what is in another mount")
	}
}
