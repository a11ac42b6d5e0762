package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestDaemon starts each version, imports an image and sees what is left.
func TestDaemon(t *testing.T) {
	for _, tool := range []string{"containerd", "containerd-1.7"} {
		t.Run(tool, func(t *testing.T) {
			d := daemon.Start(t, daemon.Options{Tool: tool})
			before := d.Left(t, "default", "overlayfs")
			if len(before.Leases)+len(before.Snapshots)+len(before.Images)+len(before.Mounts) != 0 {
				t.Fatalf("a new daemon has %+v", before)
			}
			d.Ctr(t, "images", "import", archive(t))
			after := d.Left(t, "default", "overlayfs").Since(before)
			if !strings.Contains(after, "image example.com/usr-etc:1") || !strings.Contains(after, "snapshot sha256:") {
				t.Errorf("after an import there is more: %q", after)
			}
			if strings.Contains(after, "lease") || strings.Contains(after, "mount") {
				t.Errorf("ctr itself leaves: %q", after)
			}
		})
	}
}

func archive(t *testing.T) string {
	t.Helper()
	content, err := imagetest.Build("example.com/usr-etc:1", imagetest.UsrEtc())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := content.WriteArchive(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
