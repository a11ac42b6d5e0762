package integration_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestDaemonDies kills a daemon at random moments of pull, unpacking, view and
// export, and starts it again: the run ends with the right bytes or with an error
// that names the daemon, has undone what it did, and what it left half loaded
// goes with the daemon's next collection. SOAK=500 is how often.
func TestDaemonDies(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	r.push(t, "small:1", small())
	archive := writeArchive(t, smallName, small())
	out := outputDir{t.TempDir(), ctrRootfs(t, "export", "oci-archive:"+archive).stdout}
	m := mortalIn(t, d, archive, hostsDir(t, "example.com", "server = \"http://"+r.host+"\"\n"))
	random := seeded(t)
	whole, failed, survived := map[string]time.Duration{}, map[string]int{}, map[string]int{}
	for n, tries := 0, rounds(t, 6); n < tries && !t.Failed(); {
		c := m.courses[random.IntN(len(m.courses))]
		c.prepare(t)
		i := invocation{args: append(append(append([]string{"export"}, m.store...), "-o", out.file()), c.args...)}
		if whole[c.name] == 0 {
			start := time.Now()
			i.succeed(t)
			whole[c.name] = time.Since(start)
			out.check(t, true, true)
		} else {
			n++
			after := time.Duration(random.Int64N(int64(whole[c.name])))
			away := time.Duration(random.Int64N(int64(time.Second)))
			lived := outlive(t, d, i, [2]time.Duration{after, away})
			if lived {
				survived[c.name]++
			} else {
				failed[c.name]++
			}
			out.check(t, lived, lived)
			d.Collect(t)
			if t.Failed() {
				t.Errorf("the daemon was killed after %s of the course %q, for %s", after, c.name, away)
			}
		}
		m.goOn(t, random, 0, out)
		if left := m.empty(t); left != "" {
			t.Errorf("after the course %q, when the images are removed, there is: %s", c.name, left)
		}
	}
	t.Logf("failed: %v, went on: %v, of courses of %v", failed, survived, whole)
}

// outlive runs i with a daemon that dies after a while and is away for another,
// and says whether the run succeeded all the same.
func outlive(t *testing.T, d *daemon.Daemon, i invocation, times [2]time.Duration) bool {
	t.Helper()
	cmd := i.command()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(times[0])
	d.Kill(t)
	time.Sleep(times[1])
	d.Restart(t)
	_ = cmd.Wait() // its status is asked for below
	status := cmd.ProcessState.ExitCode()
	if status == 0 {
		return true
	}
	if status != statusFailed {
		t.Errorf("exit status %d, want %d\n%s", status, statusFailed, &stderr)
	}
	checkError(t, stderr.String(), "containerd")
	if strings.Contains(stderr.String(), "ctr-rootfs gc") {
		t.Errorf("it gave up what the daemon was back for:\n%s", &stderr)
	}
	return false
}
