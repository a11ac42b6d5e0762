package integration_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestContainerHeldStillOutlastsTheLease kills an export that holds a container
// still, and collects when its lease has expired: what says that the container is
// to go on stays, until a gc that can only go by the expiry sees to it.
func TestContainerHeldStillOutlastsTheLease(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t, large().Layers[1]...)))
	startWriter(t, d, nil, "web")
	before := d.Left(t, "default", "overlayfs")
	s := stall(t, invocation{args: []string{"export", "--address", d.Address, "--lease", "4s", "--pause", "container:web"}})
	time.Sleep(5 * time.Second) // it is handed over meanwhile
	s.end(t, syscall.SIGKILL)
	time.Sleep(5 * time.Second) // an expiry is nothing to wait for
	d.Collect(t)
	if left := d.Left(t, "default", "overlayfs").Since(before); strings.Count(left, "lease ") != 1 {
		t.Errorf("after the expiry and a collection there is %q, want one lease", left)
	}
	said, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", programs.ctrRootfs, "gc", "--address", d.Address).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "removed what 1 crashed runs left") {
		t.Errorf("gc in another pid namespace: %v\n%s", err, said)
	}
	if got := taskStatus(t, d, "web"); got != "RUNNING" {
		t.Errorf("after gc it is %s", got)
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("gc left:\n%s", left)
	}
}
