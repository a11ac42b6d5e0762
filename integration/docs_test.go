package integration_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/console"
)

// notRunHere are the reasons for which a page may have a command that is not
// run, as they stand in its comment.
var notRunHere = []string{
	"it is another program's",              // what people did before
	"it fetches from outside",              // go install, a real registry
	"it is what runs this test",            // make test
	"it needs a cluster",                   // the manifests are run by make test-kubernetes
	"it needs a terminal",                  // that somebody types on
	"make demo is run by a job of its own", // see .github/workflows/ci.yml
}

// docsPages are all pages that people read.
func docsPages(t *testing.T) map[string][]console.Command {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string][]console.Command{}
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		commands, err := console.Parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		pages[strings.TrimPrefix(file, "../")] = commands
	}
	return pages
}

// TestDocsSayWhatIsNotRun holds the list of what is not run closed.
func TestDocsSayWhatIsNotRun(t *testing.T) {
	for page, commands := range docsPages(t) {
		for _, c := range commands {
			if c.NotRun != "" && !slices.Contains(notRunHere, c.NotRun) {
				t.Errorf("%s:%d: %q is not run, and the reason %q is none of %q", page, c.Line, c.Text, c.NotRun, notRunHere)
			}
		}
	}
}

// TestDocs runs every command of the pages, each page in a folder of its own,
// and compares what it prints with what the page says.
func TestDocs(t *testing.T) {
	needsRoot(t)
	w := startDocsWorld(t)
	for page, commands := range docsPages(t) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			dir := w.newPage(t)
			for _, c := range commands {
				if c.NotRun != "" {
					t.Logf("%s:%d: not run, %s: %s", page, c.Line, c.NotRun, c.Text)
					continue
				}
				got, status := w.run(t, dir, c.Text)
				t.Logf("%s:%d: $ %s\n%s", page, c.Line, c.Text, got)
				if status != c.Status || !c.Prints(got) {
					t.Errorf("%s:%d: %s\nexit status %d, want %d; it prints\n%s\nand is to print\n%s", page, c.Line, c.Text, status, c.Status, got, c.Output)
				}
			}
		})
	}
}

// TestDocsCode finds the Go code of the page about the library in the examples,
// which go test runs or at least builds, and the names that it has in the
// packages.
func TestDocsCode(t *testing.T) {
	page, err := os.ReadFile("../docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := sourcesOf(t, "../pkg/*/example*_test.go")
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Error("docs/library.md has no code: this test finds none")
	}
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(examples, code) {
			t.Errorf("no example has this code of docs/library.md:\n%s", code)
		}
	}
	for _, m := range regexp.MustCompile(`\b(export|layers|ocispec|snapshot)\.([A-Z]\w*)`).FindAllStringSubmatch(string(page), -1) {
		declared := regexp.MustCompile(`(?m)^(func|type|var|const|\t) ?` + m[2] + `\b`)
		if !declared.MatchString(sourcesOf(t, "../pkg/"+m[1]+"/*.go")) {
			t.Errorf("docs/library.md has %s, and the package has not", m[0])
		}
	}
}

func sourcesOf(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
