package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestReadReplacement(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := readReplacement(t.Context(), "/etc//x/="+file)
	if err != nil || made.Path != "etc/x" || made.Size != 4 || made.Mode != 0o644 {
		t.Errorf("readReplacement = %+v, %v", made, err)
	}
	for _, text := range []string{
		"etc/x", "=" + file, "etc/x=", "etc/x=" + file + ".gone", "etc/x=" + filepath.Dir(file), "/=" + file,
		".=" + file, "../x=" + file, "a/../x=" + file,
	} {
		if _, err := readReplacement(t.Context(), text); err == nil {
			t.Errorf("readReplacement(%q) gave no error", text)
		}
	}
}

func TestReplacementsContradict(t *testing.T) {
	for _, c := range []struct {
		replaces, keeps []string
		refused         bool
	}{
		{[]string{"a=.", "b=main.go"}, nil, true}, // a directory
		{[]string{"a=main.go"}, []string{"b"}, false},
		{[]string{"a/b=main.go"}, []string{"a"}, false},
		{[]string{"a=main.go", "/a/=main.go"}, nil, true},
		{[]string{"etc/hosts=main.go"}, []string{"/etc/hosts"}, true},
		{nil, []string{""}, true},
		{nil, []string{"/"}, true},
		{nil, []string{"../etc/hosts"}, true},
		{nil, []string{"/etc/hosts/"}, false},
	} {
		f := treeFlags{keeps: c.keeps, replaces: c.replaces}
		if err := f.readReplacements(t.Context()); (err != nil) != c.refused {
			t.Errorf("--replace %q --keep %q: %v", c.replaces, c.keeps, err)
		}
	}
}

func TestUnkept(t *testing.T) {
	f := treeFlags{profile: "moby", keeps: []string{"/etc/hosts", "etc/host", "dev", "dev/pts/0", "usr"}}
	if got, want := f.unkept(time.Time{}), []string{"etc/host", "usr"}; !slices.Equal(got, want) {
		t.Errorf("unkept %q, want %q", got, want)
	}
	f.profile = "none"
	if got := f.unkept(time.Time{}); len(got) != len(f.keeps) {
		t.Errorf("with no profile, unkept %q", got)
	}
}
