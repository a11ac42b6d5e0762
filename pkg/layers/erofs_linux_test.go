package layers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestFilesystemsAsView makes a filesystem of each directory that containerd
// unpacks a layer into, with the marks of overlayfs: merged, they are what the
// kernel's overlayfs shows of these directories.
func TestFilesystemsAsView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners and devices, and mounting an overlay, need root")
	}
	if _, err := exec.LookPath("mkfs.erofs"); err != nil {
		t.Skip("SKIPPED: mkfs.erofs is not installed: apt-get install erofs-utils")
	}
	for _, seed := range seeds(30) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			layers := randomImage(seed, asContainerd)
			lower, err := unpackLayers(t, tarsOf(layers))
			if err != nil {
				t.Fatal(err)
			}
			view, err := viewOf(t, lower)
			if err != nil {
				t.Fatal(err)
			}
			defer closing(t, view)
			var s store
			var filesystems []Layer
			for i, dir := range slices.Backward(lower) {
				filesystems = append(filesystems, s.filesystem(filesystemOf(t, dir), i%2 == 0))
			}
			compareTrees(t, s.mustOpen(t, filesystems, Options{}), view)
			if t.Failed() {
				t.Logf("the image of seed %d (again: -layers.seed=%d):\n%s", seed, seed, script(layers))
			}
		})
	}
}

// filesystemOf makes a filesystem of a directory.
func filesystemOf(t *testing.T, dir string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if out, err := exec.Command("mkfs.erofs", "--quiet", path, dir).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.erofs: %v: %s", err, out)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}
