package integration_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// atOnce is how many runs there are at the same time.
const atOnce = 32

// crowd is a store that many use at once, with what each image must give.
type crowd struct {
	store []string
	names []string
	want  map[string][]byte
}

// newCrowd pushes some images to a registry, of which the store pulls them.
func newCrowd(t *testing.T, store ...string) crowd {
	t.Helper()
	r := startRegistry(t, registryOptions{})
	c := crowd{store: append(store, "--hosts-dir", servedBy(t, "http://"+r.host)), want: map[string][]byte{}}
	for i := range 4 {
		image := small()
		image.Layers = append(image.Layers, imagetest.Layer{imagetest.File(fmt.Sprintf("of%d", i), 0o644, "own")})
		name := fmt.Sprintf("image%d:1", i)
		r.push(t, name, image)
		c.names = append(c.names, "example.com/"+name)
		c.want["example.com/"+name] = ctrRootfs(t, "export", "oci-archive:"+writeArchive(t, "", image)).stdout
	}
	return c
}

// export runs one export, which gives the right bytes; or, where images are
// removed meanwhile, says that one is not there.
func (c crowd) export(t *testing.T, name string, mayBeGone bool) {
	o := invocation{args: append(append([]string{"export", "--progress", "quiet"}, c.store...), name)}.run(t)
	gone := mayBeGone && o.status != 0 && strings.Contains(o.stderr, "not found")
	if gone {
		checkError(t, o.stderr, name)
		return
	}
	if o.status != 0 || !bytes.Equal(o.stdout, c.want[name]) {
		t.Errorf("%s: exit status %d, %d bytes, want %d\n%s", name, o.status, len(o.stdout), len(c.want[name]), o.stderr)
	}
}

// TestManyAtOnce has 32 runs pull, unpack and export four images side by side,
// and again while the images are removed and gc runs.
func TestManyAtOnce(t *testing.T) {
	needsRoot(t)
	inMemory(t)
	t.Run("daemon", func(t *testing.T) {
		d := daemon.Start(t, daemon.Options{})
		before := d.Left(t, "default", "overlayfs")
		c := newCrowd(t, "--address", d.Address)
		c.all(t, func(stop <-chan struct{}) {
			for i := 0; !isClosed(stop); i++ {
				// It may be removed already, or not be there yet.
				_, _ = d.Run("images", "rm", c.names[i%len(c.names)])
				ctrRootfs(t, "gc", "--address", d.Address)
			}
		})
		for _, name := range c.names {
			_, _ = d.Run("images", "rm", "--sync", name) // most are removed already
		}
		d.Collect(t)
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("in the end there is:\n%s", left)
		}
	})
	for _, via := range []string{"view", "layers"} {
		t.Run("embedded "+via, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			c := newCrowd(t, "--store", dir, "--via", via)
			c.all(t, func(stop <-chan struct{}) {
				for i := 0; !isClosed(stop); i++ {
					args := [][]string{nil, {"--images"}}[i%2]
					ctrRootfs(t, append([]string{"gc", "--store", dir}, args...)...)
					time.Sleep(50 * time.Millisecond) // who waits polls for the lock
				}
			})
			ctrRootfs(t, "gc", "--store", dir, "--images")
			if files := regularFiles(t, dir); len(files) != 0 {
				t.Errorf("in the end there is: %q", files)
			}
		})
	}
}

// all runs the exports, first alone and then beside disturb.
func (c crowd) all(t *testing.T, disturb func(stop <-chan struct{})) {
	t.Helper()
	for _, disturbed := range []bool{false, true} {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			if disturbed {
				disturb(stop)
			}
		}()
		var runs sync.WaitGroup
		for i := range atOnce {
			runs.Go(func() { c.export(t, c.names[i%len(c.names)], disturbed) })
		}
		runs.Wait()
		close(stop)
		<-stopped
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestGCOfOtherNamespaces does not reap a run in another pid namespace, whether
// it lives there or cannot be seen.
func TestGCOfOtherNamespaces(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
	gc := exec.Command("unshare", "--pid", "--fork", "--mount-proc", programs.ctrRootfs, "gc", "--address", d.Address)
	said, err := gc.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "kept what 1 runs in other pid namespaces hold") {
		t.Errorf("gc in another pid namespace: %v\n%s", err, said)
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); strings.Count(left, "lease ") != 1 || strings.Count(left, "snapshot ") != 1 {
		t.Errorf("after that gc there is:\n%s", left)
	}
	s.end(t, syscall.SIGKILL)
	said, err = exec.Command("unshare", "--pid", "--fork", "--mount-proc", programs.ctrRootfs, "gc", "--address", d.Address).CombinedOutput()
	if err != nil || !strings.Contains(string(said), "removed what 0 crashed runs left") {
		t.Errorf("gc in another pid namespace of a dead run: %v\n%s", err, said)
	}
	checkSaid(t, ctrRootfs(t, "gc", "--address", d.Address), "removed what 1 crashed runs left")
}
