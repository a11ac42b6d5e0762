package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrintKeyErrorStandsAlone: the store is said where something is found.
func TestPrintKeyErrorStandsAlone(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var said strings.Builder
	store := filepath.Join(t.TempDir(), "store")
	status := run(t.Context(), []string{"export", "--print-key", "--store", store, "--pull", "never", "nosuch:1"}, streams{out: out, errors: &said})
	if status != statusNotFound || strings.Contains(said.String(), "using") {
		t.Errorf("exit status %d, want %d, and stderr has\n%s", status, statusNotFound, &said)
	}
}
