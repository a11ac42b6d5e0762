package integration_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestOrphansOfTheStore leaves in the embedded store what no database knows, as
// a process does that is killed in between: directories of snapshots, whose
// numbers the next run takes, a file that tries the filesystem, a download that
// had hardly begun.
func TestOrphansOfTheStore(t *testing.T) {
	needsRoot(t)
	store := filepath.Join(t.TempDir(), "store")
	export := func() outcome {
		return ctrRootfs(t, "ls", "--store", store, "--via", "view", "oci-archive:"+writeArchive(t, "", small()))
	}
	export()
	for i := range 30 {
		if err := os.MkdirAll(filepath.Join(store, "overlayfs", "snapshots", strconv.Itoa(i), "fs", "orphan"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	content := filepath.Join(store, "content")
	for _, name := range []string{".fsverity-check-1/supported", "ingest/0/ref"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(content, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(content, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	export()
	if files := regularFiles(t, content); len(files) != 0 {
		t.Errorf("left: %q", files)
	}
	left, err := filepath.Glob(filepath.Join(store, "overlayfs", "snapshots", "*", "fs", "orphan"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q (%v)", left, err)
	}
}
