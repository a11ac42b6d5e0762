package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestFidelityNamesTests finds every test that docs/fidelity.md names.
func TestFidelityNamesTests(t *testing.T) {
	doc, err := os.ReadFile("../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources []byte
	for _, pattern := range []string{"*_test.go", "../pkg/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, source...)
		}
	}
	names := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAll(doc, -1)
	const known = 15 // the page names more: the expression finds them
	if len(names) < known {
		t.Errorf("only %q are found in the page", names)
	}
	for _, name := range names {
		if !bytes.Contains(sources, append([]byte("func "), append(name, '(')...)) {
			t.Errorf("docs/fidelity.md names %s, and there is no such test", name)
		}
	}
}
