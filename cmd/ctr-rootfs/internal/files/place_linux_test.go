package files

import (
	"os"
	"path/filepath"
	"testing"
)

// world makes a folder of files, directories and symlinks, and enters it.
func world(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, dir := range []string{"d", "d/sub"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("real", []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"link": "real", "dangling": "new", "chain": "dangling", "alias": "d",
		"deep": "d/sub", "up": "deep/../new", "far": "none/new", "loop": "loop",
		"round": "none/../round/new",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOverlap(t *testing.T) {
	world(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := os.OpenFile("real", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	for _, c := range []struct {
		name, output string
		want         bool
	}{
		{"a", "b", false},
		{"a", "./a", true},
		{"link", "real", true},
		{"real", "link", true},
		{"dangling", "new", true},
		{"new", "chain", true},
		{"alias/new", "d/new", true},
		{"up", "d/new", true},
		{"up", "new", false},
		{filepath.Join(here, "a"), "a", true},
		{"alias/m", "d", true},
		{"m", "d", false},
		{"d.m", "d", false},
		{"far", "far", true},
		{"far/m", "none/new", true},
		{"alias/none/m", "alias/none", true},
		{"alias/none/deep/m", "d/none", true},
		{"alias/none/m", "none", false},
		{"none.m", "none", false},
		{"round/m", "new", false},
		{"link", "-", true},
		{"real", "", true},
		{"m", "", false},
		{"dangling", "-", false},
	} {
		if got, err := Overlap(c.name, c.output, stdout); err != nil || got != c.want {
			t.Errorf("Overlap(%q, %q) = %v, %v, want %v", c.name, c.output, got, err, c.want)
		}
	}
	if _, err := Overlap("loop", "a", stdout); err == nil {
		t.Error("a symlink to itself is no error")
	}
	// A working directory is known by the name that it was entered by.
	t.Chdir(filepath.Join(here, "alias"))
	if got, err := Overlap("none/m", "none", stdout); err != nil || !got {
		t.Errorf("entered by a symlink, Overlap(%q, %q) = %v, %v", "none/m", "none", got, err)
	}
}

// TestDanglingSymlinkStays: what it leads to is made, as by a shell's ">".
func TestDanglingSymlinkStays(t *testing.T) {
	for link, behind := range map[string]string{"dangling": "new", "chain": "new", "up": "d/new"} {
		world(t)
		want, _ := os.Readlink(link)
		o := open(t, link)
		put(t, o, "text")
		if err := o.Finish(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(link); err != nil || got != want {
			t.Errorf("%s leads to %q, %v, want %q", link, got, err, want)
		}
		if got, err := os.ReadFile(behind); err != nil || string(got) != "text" {
			t.Errorf("behind %s: %q, %v", link, got, err)
		}
	}
}
