package layers

import (
	"strings"
	"testing"
)

// TestUnnamedDirectories: a directory is taken for one that the tar does not name
// only where nothing speaks against it, and what nothing tells is counted.
func TestUnnamedDirectories(t *testing.T) {
	const built = 100
	// With --mkfs-time, what the tar says holds, and only the root and what takes
	// after it have the time of the build; with -T alone, all things have it.
	kept, all := []string{"-T100", "--mkfs-time"}, []string{"-T100"}
	lower := layer{dir("d", 0o700).own(7, 8), file("d/x", "")}
	for _, c := range []struct {
		name               string
		layer              layer
		options            []string
		want               string // of the line of "d"
		unnamed, undecided int64
	}{
		{"unnamed", layer{file("d/f", "").at(5, 0)}, kept, `d0700 "d" 7:8 implied`, 1, 0},
		{"unnamed, nested", layer{file("d/e/f", "").at(5, 0)}, kept, `d0700 "d" 7:8 implied`, 2, 0},
		{"unnamed, of a whiteout", layer{file("d/.wh.x", "").at(5, 0)}, kept, `d0700 "d" 7:8 implied`, 1, 0},
		{"unnamed, opaque", layer{opaque("d").at(5, 0)}, kept, `d0700 "d" 7:8`, 1, 0},
		{"unnamed, before the root's entry", layer{file("d/f", "").at(5, 0), dir(".", 0o755).at(6, 0)}, kept, `d0700 "d" 7:8 implied`, 1, 0},
		{"named", layer{dir("d", 0o777).at(5, 0), file("d/f", "").at(5, 0)}, kept, `d0777 "d" @5.000000000`, 0, 0},
		{"named, with nothing in it", layer{dir("d", 0o777).at(built, 0)}, kept, `d0777 "d" @100.000000000`, 0, 0},
		{"named, with another owner", layer{dir("d", 0o777).own(1, 0).at(built, 0), file("d/f", "").at(5, 0)}, kept, `d0777 "d" 1:0 @100.000000000`, 0, 0},
		{"named, with another mode", layer{dir("d", 0o1777).at(built, 0), file("d/f", "").at(5, 0)}, kept, `d1777 "d" @100.000000000`, 0, 0},
		{"named, with an attribute", layer{dir("d", 0o777).xattr("user.a", "1").at(built, 0), file("d/f", "").at(5, 0)}, kept, `d0777 "d" @100.000000000 {"user.a"="1"}`, 0, 0},
		{"named, as what is in it", layer{dir("d", 0o777), dir("d/e", 0o777)}, all, `d0777 "d" @100.000000000`, 0, 1},
		{"named, as the whiteout in it", layer{dir("d", 0o777), file("d/.wh.x", "")}, all, `d0777 "d" @100.000000000`, 0, 1},
		{"one time for all", layer{file("d/e/f", "")}, all, `d0777 "d" @100.000000000`, 0, 2},
		{"one time for all, and a root of its own", layer{dir(".", 0o755), dir("d", 0o777), file("d/f", "")}, all, `d0777 "d" @100.000000000`, 0, 0},
		{"one time for all, closed", layer{dir("d", 0o755), file("d/f", "")}, all, `d0755 "d" @100.000000000`, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s store
			tree := s.mustOpen(t, []Layer{s.layer(lower.tar(), lower.tar()), s.filesystem(converted(t, c.layer.tar(), c.options...), false)}, Options{})
			if got, _, _ := strings.Cut(list(t, tree), "\n"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if r := tree.Report(); r.Unnamed != c.unnamed || r.Undecided != c.undecided {
				t.Errorf("%d unnamed and %d undecided directories, want %d and %d", r.Unnamed, r.Undecided, c.unnamed, c.undecided)
			}
		})
	}
}
