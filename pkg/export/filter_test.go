package export_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

func paths(t *testing.T, tree export.Tree) []string {
	t.Helper()
	var got []string
	err := exporttest.Validate(tree).Walk(t.Context(), func(e *export.Entry) error {
		got = append(got, e.Path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func filterTree() *exporttest.MemTree {
	return exporttest.New(
		exporttest.Dir("a"), exporttest.Dir("a/b"), exporttest.File("a/b/c", "1"), exporttest.File("a/b/d.txt", "2"),
		exporttest.File("a/e.txt", "3"), exporttest.File("a-b", "4"), exporttest.Dir("z"), exporttest.File("z/e.txt", "5"),
		exporttest.File("x\ny", "6"), exporttest.File("!odd", "7"),
	)
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		exclude, include string // patterns parted by blanks
		want, unmatched  string
		excluded         int64
	}{
		{want: "!odd a a/b a/b/c a/b/d.txt a/e.txt a-b x\ny z z/e.txt"},
		{exclude: "a x*", want: "!odd a-b z z/e.txt", excluded: 2},
		{exclude: "/a/ /x*", want: "!odd a-b z z/e.txt", excluded: 2},
		{exclude: "a !a/b/c", want: "!odd a a/b a/b/c a-b x\ny z z/e.txt", excluded: 2},
		{exclude: "a !a/b a/b/c", want: "!odd a a/b a/b/d.txt a-b x\ny z z/e.txt", excluded: 2},
		{exclude: "* !**/e.txt", want: "a a/e.txt z z/e.txt", excluded: 6},
		{exclude: "**", want: "", excluded: 5},
		{exclude: "**/*.txt none", want: "!odd a a/b a/b/c a-b x\ny z", excluded: 3, unmatched: "none"},
		{exclude: "!z", want: "!odd a a/b a/b/c a/b/d.txt a/e.txt a-b x\ny z z/e.txt"},
		{include: "a/b", want: "a a/b a/b/c a/b/d.txt", excluded: 5},
		{include: "**/e.txt", want: "a a/e.txt z z/e.txt", excluded: 6},
		{include: "a !a/b", want: "a a/e.txt", excluded: 5},
		{include: "a z", exclude: "**/e.txt", want: "a a/b a/b/c a/b/d.txt z", excluded: 5},
		{include: "a/q", want: "", excluded: 7, unmatched: "a/q"},
		{exclude: "a a/b/c", want: "!odd a-b x\ny z z/e.txt", excluded: 1},
		{exclude: `\!odd`, want: "a a/b a/b/c a/b/d.txt a/e.txt a-b x\ny z z/e.txt", excluded: 1},
	} {
		name := "exclude " + c.exclude + " include " + c.include
		f, err := export.NewFilter(filterTree(), export.Rules{
			Exclude: strings.Fields(c.exclude), Include: strings.Fields(c.include),
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := paths(t, f)
		if want := splitList(c.want); !slices.Equal(got, want) {
			t.Errorf("%s: kept %q, want %q", name, got, want)
		}
		if f.Excluded() != c.excluded {
			t.Errorf("%s: %d excluded, want %d", name, f.Excluded(), c.excluded)
		}
		if got := strings.Join(f.Unmatched(), " "); got != c.unmatched {
			t.Errorf("%s: unmatched %q, want %q", name, got, c.unmatched)
		}
		for _, path := range got {
			if _, err := f.Lookup(t.Context(), path); err != nil {
				t.Errorf("%s: Lookup of a kept name: %v", name, err)
			}
		}
	}
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

func TestFilterLookupOfExcluded(t *testing.T) {
	f, err := export.NewFilter(filterTree(), export.Rules{Exclude: []string{"a", "!a/b/c"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"a/e.txt", "a/b/d.txt"} {
		if _, err := f.Lookup(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Lookup(%q): %v, want not found", path, err)
		}
	}
}

func TestFilterSkipsForVisitor(t *testing.T) {
	f, err := export.NewFilter(filterTree(), export.Rules{Include: []string{"a/b/*", "a/e.txt", "z/e.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = f.Walk(t.Context(), func(e *export.Entry) error {
		got = append(got, e.Path)
		if e.Path == "a" {
			return fs.SkipDir
		}
		return nil
	})
	if want := []string{"a", "z", "z/e.txt"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("visited %q, %v; want %q", got, err, want)
	}
}

func TestBadPatterns(t *testing.T) {
	for _, p := range []string{"", "!", "  ", "/", "a[", "!["} {
		_, err := export.NewFilter(filterTree(), export.Rules{Exclude: []string{p}})
		if err == nil {
			t.Errorf("pattern %q is taken", p)
		}
	}
	got, err := export.ReadPatterns(strings.NewReader("\ufeff# no\n\n /a/ \n!/b\n"))
	if want := []string{"a", "!b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadPatterns = %q, %v; want %q", got, err, want)
	}
}

func TestWalkEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := filterTree().Walk(ctx, func(*export.Entry) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
