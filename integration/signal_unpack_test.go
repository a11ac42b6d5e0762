package integration_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestSignalWhileUnpacking interrupts runs that have a daemon unpack an image,
// each a little later: no lease and no half unpacked snapshot is left, though
// layers that were unpacked whole may be.
func TestSignalWhileUnpacking(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	interrupted := 0
	for delay := 20 * time.Millisecond; delay <= 240*time.Millisecond; delay += 20 * time.Millisecond {
		cmd := invocation{args: []string{"export", "--address", d.Address, "-o", "/dev/null", largeName}}.command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay)
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may be through
		_ = cmd.Wait()                          // its status is asked for below
		if cmd.ProcessState.ExitCode() == 143 {
			interrupted++
		}
		left := d.Left(t, "default", "overlayfs").Since(before)
		for line := range strings.Lines(left) {
			if strings.Contains(line, "extract-") || strings.Contains(line, "lease") || strings.Contains(line, "ctr-rootfs-") {
				t.Errorf("a signal after %s left: %s", delay, line)
			}
		}
	}
	if interrupted == 0 {
		t.Error("no run was interrupted, so this test saw nothing")
	}
}
