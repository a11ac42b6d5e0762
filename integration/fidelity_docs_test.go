package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocsNameTests finds every test that the pages name which promise something.
func TestDocsNameTests(t *testing.T) {
	var doc []byte
	for _, page := range []string{"../docs/fidelity.md", "../docs/reliability.md", "../docs/via.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		doc = append(doc, text...)
	}
	var sources []byte
	for _, pattern := range []string{"*_test.go", "../pkg/*/*_test.go", "../pkg/*/internal/*/*_test.go", "../internal/*/*_test.go"} {
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
	const known = 40 // the page names more: the expression finds them
	if len(names) < known {
		t.Errorf("only %q are found in the page", names)
	}
	for _, name := range names {
		if !bytes.Contains(sources, append([]byte("func "), append(name, '(')...)) {
			t.Errorf("a page names %s, and there is no such test", name)
		}
	}
}
