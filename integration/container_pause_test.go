package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	if left := d.Left(t, "default", "overlayfs").Since(before); !strings.Contains(left, "lease ") {
		// A kill inside of a hand-over leaves two.
		t.Errorf("after the expiry and a collection there is %q, want a lease", left)
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

// TestContainerHeldStillByTwo ends two exports that hold one container still, in
// every order and way: it is held until the last one has ended.
func TestContainerHeldStillByTwo(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t, large().Layers[1]...)))
	startWriter(t, d, nil, "web")
	before := d.Left(t, "default", "overlayfs")
	export := invocation{args: []string{"export", "--address", d.Address, "--pause", "container:web"}}
	gc := func() { ctrRootfs(t, "gc", "--address", d.Address) }
	for name, test := range map[string]struct {
		// early is done when the first one has begun, late when both have.
		early, late func(first, second *stalled)
		last        func(first, second *stalled)
	}{
		"the first ends first": {
			late: func(first, _ *stalled) { first.whole(t) },
			last: func(_, second *stalled) { second.whole(t) },
		},
		"the second ends first": {
			late: func(_, second *stalled) { second.whole(t) },
			last: func(first, _ *stalled) { first.whole(t) },
		},
		"the first is killed before": {
			early: func(first, _ *stalled) { first.end(t, syscall.SIGKILL) },
			late:  func(_, _ *stalled) { gc() },
			last:  func(_, second *stalled) { second.whole(t) },
		},
		"the second is killed": {
			late: func(_, second *stalled) { second.end(t, syscall.SIGKILL) },
			last: func(first, _ *stalled) { first.whole(t); gc() },
		},
		"both are killed": {
			late: func(first, second *stalled) { first.end(t, syscall.SIGKILL); second.end(t, syscall.SIGKILL) },
			last: func(_, _ *stalled) { gc() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := stall(t, export)
			if test.early != nil {
				test.early(first, nil)
			}
			second := stall(t, export)
			test.late(first, second)
			if got := taskStatus(t, d, "web"); got != "PAUSED" {
				t.Errorf("while it is held still it is %s", got)
			}
			test.last(first, second)
			if got := taskStatus(t, d, "web"); got != "RUNNING" {
				t.Errorf("in the end it is %s", got)
				d.Ctr(t, "tasks", "resume", "web")
			}
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("they left:\n%s", left)
			}
		})
	}
}

// TestContainerHeldStillByMany begins and ends many exports of one container, that
// changes its files all the time, at about the same moment: none sees a change, and
// the container goes on.
func TestContainerHeldStillByMany(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	startContainer(t, d, nil, "crowd", "--busy", "/data/busy")
	waitUntil(t, "the container has made its files", func() bool {
		files, _ := os.ReadDir(filepath.Join(taskRoot(d, "crowd"), "data/busy")) // it may not be there yet
		return len(files) > 300
	})
	before := d.Left(t, "default", "overlayfs")
	for range 5 {
		var runs sync.WaitGroup
		for range 6 {
			runs.Go(func() {
				var stderr bytes.Buffer
				cmd := invocation{args: []string{"export", "--address", d.Address, "--pause", "-o", "/dev/null", "container:crowd"}}.command()
				cmd.Stderr = &stderr
				if err := cmd.Run(); err != nil {
					t.Errorf("%v\n%s", err, stderr.String())
				}
			})
		}
		runs.Wait()
		if got := taskStatus(t, d, "crowd"); got != "RUNNING" {
			t.Errorf("in the end it is %s", got)
			d.Ctr(t, "tasks", "resume", "crowd")
		}
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
}
