package integration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestContainerChanges exports a container that changes its files all the time:
// each archive is whole, and what changed is told.
func TestContainerChanges(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	startContainer(t, d, nil, "busy", "--busy", "/data/busy")
	waitUntil(t, "the container has made its files", func() bool {
		files, _ := os.ReadDir(filepath.Join(taskRoot(d, "busy"), "data/busy")) // it may not be there yet
		return len(files) > 300
	})
	before := d.Left(t, "default", "overlayfs")
	dir := t.TempDir()
	file, meta := filepath.Join(dir, "out.tar"), filepath.Join(dir, "meta.json")
	run := func(args ...string) outcome {
		o := invocation{args: append([]string{"export", "--address", d.Address, "-o", file, "--metadata-file", meta}, args...)}.run(t)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("exit status %d, and no file: %v\n%s", o.status, err, o.stderr)
		}
		readTar(t, data)
		return o
	}
	changed := false
	reasons := map[string]int{}
	for range 20 {
		o := run("container:busy")
		m := readMetadata(t, meta)
		for _, c := range m.Changed {
			reasons[c.Why]++
		}
		if m.Changes == 0 && o.status == 0 {
			continue
		}
		changed = true
		if o.status != 1 || !strings.Contains(o.stderr, "the container changed while it was read: ") || !strings.Contains(o.stderr, "--allow-changes") {
			t.Errorf("%d changes and exit status %d\n%s", m.Changes, o.status, o.stderr)
		}
		for _, c := range m.Changed {
			if !strings.Contains(o.stderr, c.Path) {
				t.Errorf("stderr does not name %q:\n%s", c.Path, o.stderr)
			}
		}
	}
	if !changed || len(reasons) < 2 {
		t.Errorf("20 exports saw only the changes %v, so this test tests too little", reasons)
	}
	t.Logf("changes: %v", reasons)
	if o := run("--allow-changes", "container:busy"); o.status != 0 {
		t.Errorf("--allow-changes: exit status %d\n%s", o.status, o.stderr)
	}
	if o := run("--pause", "container:busy"); o.status != 0 || strings.Contains(o.stderr, "while it was read") {
		t.Errorf("--pause: exit status %d\n%s", o.status, o.stderr)
	}
	ctrRootfs(t, "export", "--address", d.Address, "--allow-changes", "--format", "dir", "-o", filepath.Join(dir, "root"), "container:busy")
	// Its snapshot by its key is read with the same patience.
	run("--allow-changes", "snapshot:busy")
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
}

// TestContainerRemovedMeanwhile removes a container with its snapshot while its
// root is read: what is gone is left out, and the archive is whole.
func TestContainerRemovedMeanwhile(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t, large().Layers[1]...)))
	startWriter(t, d, nil, "web")
	s := stall(t, invocation{args: []string{"export", "--address", d.Address, "--profile", "none", "container:web"}})
	removeContainer(t, d, "web")
	d.Collect(t)
	output, status := s.rest(t)
	if status != 0 && status != 1 {
		t.Errorf("exit status %d\n%s", status, s.stderr)
	}
	readTar(t, output)
}
