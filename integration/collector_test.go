package integration_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestCollectorTakesNothing removes the image, prunes and collects while an
// export reads it, for several times the life of its lease: it comes out whole,
// and nothing is left.
func TestCollectorTakesNothing(t *testing.T) {
	for _, snapshotter := range []string{"overlayfs", "native", "erofs"} {
		t.Run(snapshotter, func(t *testing.T) {
			t.Parallel()
			d := snapshotterDaemon(t, snapshotter)
			archive := writeArchive(t, largeName, large())
			before := d.Left(t, "default", snapshotter)
			d.Ctr(t, "images", "import", "--no-unpack", archive)
			export := invocation{args: []string{"export", "--address", d.Address, "--snapshotter", snapshotter, "--profile", "none", "--lease", "4s", largeName}}
			want := export.succeed(t).stdout
			s := stall(t, export)
			leases := collectFor(t, d, 10*time.Second)
			if len(leases) < 3 {
				t.Errorf("in all there were the leases %v: they were not handed over", leases)
			}
			output, status := s.rest(t)
			if status != 0 || !bytes.Equal(output, want) {
				t.Errorf("exit status %d, %d bytes of %d\n%s", status, len(output), len(want), s.stderr)
			}
			d.Collect(t)
			if left := d.Left(t, "default", snapshotter).Since(before); left != "" {
				t.Errorf("it left:\n%s", left)
			}
		})
	}
}

// collectFor takes the large image from a daemon, and whatever else nobody
// holds, again and again. It gives the leases that it saw.
func collectFor(t *testing.T, d *daemon.Daemon, long time.Duration) map[string]bool {
	t.Helper()
	seen := make(map[string]bool)
	d.Ctr(t, "images", "rm", "--sync", largeName)
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		d.Ctr(t, "content", "prune", "references")
		d.Collect(t)
		checkSaid(t, ctrRootfs(t, "gc", "--address", d.Address), "removed what 0 crashed runs left", "kept what 1 living runs hold")
		for _, lease := range d.Left(t, "default", "overlayfs").Leases {
			if strings.HasPrefix(lease, "ctr-rootfs-") {
				seen[lease] = true
			}
		}
	}
	return seen
}

// TestCollectorBesideUnpacking removes an image, prunes and collects while it is
// unpacked and while its layers are read.
func TestCollectorBesideUnpacking(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, largeName, large())
	for name, via := range map[string]string{"unpacking": "view", "reading layers": "layers"} {
		t.Run(name, func(t *testing.T) {
			want := ctrRootfs(t, "export", "--profile", "none", "--reproducible", "oci-archive:"+archive).stdout
			d.Ctr(t, "images", "import", "--no-unpack", archive)
			before := d.Left(t, "default", "overlayfs")
			var output, stderr bytes.Buffer
			cmd := invocation{args: []string{"export", "--address", d.Address, "--via", via, "--profile", "none", "--reproducible", largeName}}.command()
			cmd.Stdout, cmd.Stderr = &output, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitForLease(t, d, before)
			d.Ctr(t, "images", "rm", "--sync", largeName)
			d.Ctr(t, "content", "prune", "references")
			if err := cmd.Wait(); err != nil || !bytes.Equal(output.Bytes(), want) {
				t.Errorf("%v, %d bytes of %d\n%s", err, output.Len(), len(want), stderr.String())
			}
			d.Collect(t)
			if left := d.Left(t, "default", "overlayfs"); len(left.Leases)+len(left.Snapshots) != 0 {
				t.Errorf("it left %+v", left)
			}
		})
	}
}
