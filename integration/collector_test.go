package integration_test

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
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
			d.Ctr(t, "images", "rm", "--sync", largeName)
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

// TestCollectorTakesNoMounts collects while the snapshot of a stopped container is
// read, which only the daemon can mount, for several times the life of the lease:
// the daemon's mounts stay, and go with the export, or with its lease when that
// was killed.
func TestCollectorTakesNoMounts(t *testing.T) {
	t.Parallel()
	const snapshotter = "erofs"
	d := snapshotterDaemon(t, snapshotter)
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, largeName, large()))
	ctrRootfs(t, "ls", "--address", d.Address, "--snapshotter", snapshotter, largeName)
	d.Ctr(t, "containers", "create", "--snapshotter", snapshotter, largeName, "stopped")
	before := d.Left(t, "default", snapshotter)
	export := invocation{args: []string{"export", "--address", d.Address, "--snapshotter", snapshotter, "--profile", "none", "--lease", "4s", "snapshot:stopped"}}
	want := export.succeed(t).stdout
	s := stall(t, export)
	held := d.Left(t, "default", snapshotter).Mounts
	if len(held) <= len(before.Mounts) {
		t.Errorf("the daemon mounted nothing, so this test tests nothing: %v", held)
	}
	collectFor(t, d, 10*time.Second)
	if now := d.Left(t, "default", snapshotter).Mounts; !slices.Equal(now, held) {
		t.Errorf("after collecting, there are the mounts\n%q\nof\n%q", now, held)
	}
	output, status := s.rest(t)
	if status != 0 || !bytes.Equal(output, want) {
		t.Errorf("exit status %d, %d bytes of %d\n%s", status, len(output), len(want), s.stderr)
	}
	checkLeft := func(what string) {
		t.Helper()
		d.Collect(t)
		if left := d.Left(t, "default", snapshotter).Since(before); left != "" {
			t.Errorf("%s left:\n%s", what, left)
		}
	}
	checkLeft("the export")
	stall(t, export).end(t, syscall.SIGKILL)
	time.Sleep(5 * time.Second) // an expiry is nothing to wait for
	checkLeft("a killed export")
}

// collectFor takes from a daemon whatever nobody holds, again and again. It gives
// the leases that it saw.
func collectFor(t *testing.T, d *daemon.Daemon, long time.Duration) map[string]bool {
	t.Helper()
	seen := make(map[string]bool)
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
