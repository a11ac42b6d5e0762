package integration_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestOrphansOfTheStore gives the embedded store's snapshotter directories that
// its database does not know, as a process leaves them that is killed between
// the two: the next run takes the same numbers.
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
	export()
	left, err := filepath.Glob(filepath.Join(store, "overlayfs", "snapshots", "*", "fs", "orphan"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q (%v)", left, err)
	}
}
