package integration_test

import (
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestParallelUnpacking has containerd unpack layers side by side, and shows why
// this tool does not: a layer that puts a file into a directory without naming it
// makes the directory anew, open to all, since what lies below is not known yet.
// Once containerd mends that, this test says so.
func TestParallelUnpacking(t *testing.T) {
	d := daemon.Start(t, daemon.Options{Config: "[plugins.\"io.containerd.transfer.v1.local\"]\nmax_concurrent_unpacks = 4\n"})
	r := startRegistry(t, registryOptions{})
	image := imagetest.Image{Layers: []imagetest.Layer{
		{imagetest.Dir("root", 0o700), imagetest.File("root/one", 0o600, "1")},
		{imagetest.File("root/two", 0o600, "2")},
	}}
	r.push(t, "private:1", image)
	name := r.host + "/private:1"
	mode := func() uint32 {
		t.Helper()
		for _, e := range exported(t, d, "--plain-http", name) {
			if e.Path == "root" {
				return e.Mode
			}
		}
		t.Fatal("the image has no root/")
		return 0
	}
	d.Ctr(t, "images", "pull", "--plain-http", name)
	if got := mode(); got != 0o755 {
		t.Errorf("containerd's parallel unpacking gave root/ the mode %04o: it can be used, and docs/fidelity.md and docs/performance.md are to be changed", got)
	}
	d.Ctr(t, "images", "rm", "--sync", name)
	d.Collect(t)
	if got := mode(); got != 0o700 {
		t.Errorf("a pull by ctr-rootfs gave root/ the mode %04o, want 0700", got)
	}
}
