package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
)

// TestManPages wants a page for each verb, with every flag, that man(1) reads
// without a complaint.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	root := newRoot(streams{errors: os.Stderr, progress: progress.New(os.Stderr)})
	root.InitDefaultCompletionCmd()
	if err := writePages(root, dir); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"", "-export", "-bundle", "-spec", "-ls", "-images", "-gc", "-version", "-completion-bash"} {
		name := "ctr-rootfs" + verb + ".1"
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("there is no page %s", name)
			continue
		}
		if strings.Contains(string(text), "\n'") {
			t.Errorf("%s has a line that is read as a request", name)
		}
		if verb == "-export" {
			for _, want := range []string{`\-\-print\-key`, `.B \-o, \-\-output FILE`, `\-\-host\-root DIR`, ".SH EXAMPLES"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("%s does not say %s", name, want)
				}
			}
		}
		checkRoff(t, filepath.Join(dir, name))
	}
	if _, err := os.Stat(filepath.Join(dir, "ctr-rootfs-man.1")); err == nil {
		t.Error("there is a page of the hidden verb that writes them")
	}
}

func checkRoff(t *testing.T, page string) {
	t.Helper()
	if _, err := exec.LookPath("groff"); err != nil {
		t.Log("SKIPPED: groff, which would read the pages, is not installed")
		return
	}
	out, err := exec.Command("groff", "-man", "-Tutf8", "-z", page).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("groff of %s: %v\n%s", page, err, out)
	}
}
