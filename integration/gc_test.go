package integration_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestGC removes what a killed export left, and nothing of one that lives or of
// somebody else.
func TestGC(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	d.Ctr(t, "leases", "create", "--id", "of-somebody-else")
	before := d.Left(t, "default", "overlayfs")
	export := invocation{args: []string{"export", "--address", d.Address, "--profile", "none", largeName}}
	for range 2 {
		stall(t, export).end(t, syscall.SIGKILL)
	}
	killed := d.Left(t, "default", "overlayfs")
	if got := killed.Since(before); strings.Count(got, "lease ") != 2 || strings.Count(got, "snapshot ") != 2 {
		t.Fatalf("two killed exports left, so this test tests nothing:\n%s", got)
	}
	living := stall(t, export)
	checkSaid(t, ctrRootfs(t, "gc", "--address", d.Address), "removed what 2 crashed runs left", "kept what 1 living runs hold")
	now := d.Left(t, "default", "overlayfs")
	if got := now.Since(before); strings.Count(got, "lease ") != 1 || strings.Count(got, "snapshot ") != 1 || strings.Contains(got, "mount ") {
		t.Errorf("beside a living export there is:\n%s", got)
	}
	if got := before.Since(now); got != "" {
		t.Errorf("gc took what is not its own:\n%s", got)
	}
	living.whole(t)
	checkSaid(t, ctrRootfs(t, "gc", "--address", d.Address), "removed what 0 crashed runs left")
	if got := d.Left(t, "default", "overlayfs").Since(before); got != "" {
		t.Errorf("in the end there is:\n%s", got)
	}
}

func checkSaid(t *testing.T, o outcome, wants ...string) {
	t.Helper()
	if len(o.stdout) != 0 {
		t.Errorf("it wrote %q to stdout", o.stdout)
	}
	for _, want := range wants {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, o.stderr)
		}
	}
}

// TestGCGivesSpaceBack empties the embedded store: what a killed run of an
// archive left, and with --images what was pulled.
func TestGCGivesSpaceBack(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	r.push(t, "standard:1", standard(t))
	store := filepath.Join(t.TempDir(), "store")
	gc := func(args ...string) outcome {
		return ctrRootfs(t, append([]string{"gc", "--store", store}, args...)...)
	}
	checkSaid(t, gc(), "removed what 0 crashed runs left")
	empty := diskUsage(t, store)

	export := invocation{args: []string{"export", "--store", store, "--via", "view", "oci-archive:" + writeArchive(t, "", large())}}
	living := stall(t, export)
	stall(t, export).end(t, syscall.SIGKILL)
	checkSaid(t, gc("--images"), "removed what 1 crashed runs left", "kept what 1 living runs hold")
	if _, status := living.rest(t); status != 0 {
		t.Errorf("the living export: exit status %d\n%s", status, living.stderr)
	}
	if used := diskUsage(t, store); used > empty+slack {
		t.Errorf("when the last export has ended the store has %d bytes, empty it had %d", used, empty)
	}

	ctrRootfs(t, "ls", "--store", store, "--via", "view", r.host+"/standard:1")
	pulled := diskUsage(t, store)
	checkSaid(t, gc(), "removed what 0 crashed runs left")
	if used := diskUsage(t, store); used != pulled || used < empty+1<<20 {
		t.Errorf("gc without --images: %d bytes, %d with the image before, %d without", used, pulled, empty)
	}
	checkSaid(t, gc("--images"), "removed 1 images")
	if used := diskUsage(t, store); used > empty+slack {
		t.Errorf("gc --images: %d bytes, empty it had %d", used, empty)
	}
	if names := ctrRootfs(t, "images", "--store", store, "-q").stdout; len(names) != 0 {
		t.Errorf("images are left: %q", names)
	}
}

// slack is what the databases, which do not shrink, may grow by.
const slack = 512 << 10

// diskUsage is the sum of the sizes of all files below dir.
func diskUsage(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestGCOfADaemonKeepsImages refuses to empty what is not ours.
func TestGCOfADaemonKeepsImages(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	o := invocation{args: []string{"gc", "--address", d.Address, "--images"}}.run(t)
	if o.status == 0 {
		t.Error("gc --images of a daemon: exit status 0")
	}
	checkError(t, o.stderr, "those of a daemon are not ctr-rootfs's")
	if images := d.Left(t, "default", "overlayfs").Images; len(images) != 1 {
		t.Errorf("the daemon has the images %q", images)
	}
}
