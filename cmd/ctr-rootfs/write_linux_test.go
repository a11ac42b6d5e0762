package main

import (
	"os"
	"strings"
	"testing"
)

// TestSourceIsNotReplaced by what is made of it, whatever name it is given.
func TestSourceIsNotReplaced(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("self.tar", []byte("an archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("self.tar", "link"); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open("self.tar")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for _, args := range [][]string{
		{"-o", "self.tar", "oci-archive:self.tar"},
		{"-o", "link", "docker-archive:self.tar"},
		{"-o", "./self.tar", "oci-archive:link:name"},
		{"-o", "self.tar", "oci-archive:-"},
		{"-o", "other.tar", "--metadata-file", "self.tar", "oci-archive:self.tar"},
	} {
		var said strings.Builder
		status := run(t.Context(), append([]string{"export"}, args...), streams{in: in, errors: &said})
		if status != statusUsage || !strings.Contains(said.String(), "is read from") {
			t.Errorf("export %q: exit status %d, want %d\n%s", args, status, statusUsage, &said)
		}
		if text, err := os.ReadFile("self.tar"); err != nil || string(text) != "an archive" {
			t.Errorf("export %q leaves %q, %v", args, text, err)
		}
	}
	var said strings.Builder
	if status := run(t.Context(), []string{"export", "-o", "other.tar", "oci-archive:self.tar"}, streams{in: in, errors: &said}); status == statusUsage {
		t.Errorf("another file is refused, too: %s", &said)
	}
}
