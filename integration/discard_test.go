package integration_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// discarding has CRI discard the blobs of layers once they are unpacked, as
// nodes are often set up, and start with nothing of the host's.
const discarding = `
[plugins."io.containerd.cri.v1.images"]
discard_unpacked_layers = true
[plugins."io.containerd.cri.v1.runtime"]
disable_apparmor = true
restrict_oom_score_adj = true
`

// crictlPull pulls an image as a kubelet would.
func crictlPull(t *testing.T, d *daemon.Daemon, name string) {
	t.Helper()
	bin, err := tools.Dir(context.Background(), "crictl")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "unix://" + d.Address
	cmd := exec.Command(filepath.Join(bin, "crictl"), "--runtime-endpoint", endpoint, "--image-endpoint", endpoint, "--timeout", "30s", "pull", name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("crictl pull %s: %v\n%s\n%s", name, err, out, d.Log())
	}
}

// TestDiscardedLayers exports from a node whose images have no layer blobs.
func TestDiscardedLayers(t *testing.T) {
	d := daemon.Start(t, daemon.Options{CRI: true, Config: discarding})
	r := startRegistry(t, registryOptions{})
	r.push(t, "standard:1", standard(t))
	name := r.host + "/standard:1"
	crictlPull(t, d, name)
	d.Collect(t)
	if out, err := d.Run("--namespace", "k8s.io", "images", "export", filepath.Join(t.TempDir(), "image.tar"), name); err == nil {
		t.Fatalf("the layers are there, so this test tests nothing:\n%s", out)
	}
	before := d.Left(t, "k8s.io", "overlayfs")
	export := func(args ...string) outcome {
		return invocation{args: append([]string{"export", "--address", d.Address, "-n", "k8s.io", "--reproducible", name}, args...)}.run(t)
	}
	want := archiveBytes(t, standard(t))
	if o := export("--pull", "never"); !bytes.Equal(o.stdout, want) {
		t.Errorf("exit status %d, %d bytes differ from the archive's %d:\n%s", o.status, len(o.stdout), len(want), o.stderr)
	}

	o := export("--snapshotter", "native")
	if o.status != statusNotFound {
		t.Errorf("with another snapshotter: exit status %d", o.status)
	}
	checkGone(t, o, `"native"`, `unpacked for snapshotter "overlayfs"`, "--snapshotter overlayfs", "--pull always")
	d.Collect(t)
	if left := d.Left(t, "k8s.io", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}

	// Without snapshots either, only the registry helps.
	removeSnapshots(t, d, "k8s.io")
	o = export()
	if o.status != statusNotFound {
		t.Errorf("without layers and snapshots: exit status %d", o.status)
	}
	checkGone(t, o, name, "neither packed nor unpacked", "--pull always")
	if o := export("--pull", "always"); !bytes.Equal(o.stdout, want) {
		t.Errorf("pulled again: exit status %d, %d bytes differ from the archive's %d:\n%s", o.status, len(o.stdout), len(want), o.stderr)
	}
}

// checkGone is checkError for what is unpacked in vain.
func checkGone(t *testing.T, o outcome, wants ...string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(o.stderr) {
		if !strings.HasPrefix(line, "ctr-rootfs: unpacking 127.0.0.1:") {
			lines = append(lines, line)
		}
	}
	checkError(t, strings.Join(lines, ""), wants...)
}

// removeSnapshots removes every snapshot of a namespace, the topmost first.
func removeSnapshots(t *testing.T, d *daemon.Daemon, namespace string) {
	t.Helper()
	for range 10 {
		left := d.Left(t, namespace, "overlayfs").Snapshots
		if len(left) == 0 {
			return
		}
		for _, key := range left {
			// One that has children is left for the next round.
			if _, err := d.Run("--namespace", namespace, "snapshots", "remove", key); err != nil && !strings.Contains(err.Error(), "cannot remove snapshot with child") {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("snapshots cannot be removed")
}
