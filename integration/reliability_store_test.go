package integration_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestOrphansOfTheStore leaves in the embedded store what no database knows, as
// a process does that is killed in between: directories of snapshots, whose
// numbers the next run takes, and a file that tries the filesystem.
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
	probe := filepath.Join(store, "content", ".fsverity-check-1")
	if err := os.Mkdir(probe, 0o700); err != nil {
		t.Fatal(err)
	}
	export()
	if _, err := os.Lstat(probe); err == nil {
		t.Errorf("left: %q", probe)
	}
	left, err := filepath.Glob(filepath.Join(store, "overlayfs", "snapshots", "*", "fs", "orphan"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q (%v)", left, err)
	}
}
