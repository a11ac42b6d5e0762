package integration_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// course is a whole run of the binary that is to die on its way.
type course struct {
	name string
	args []string
	// prepare makes the store what the course begins with.
	prepare func(*testing.T)
}

// mortal is a store in which runs die.
type mortal struct {
	courses []course
	// store names it to the binary.
	store []string
	name  string
	temp  string
	// left is what of ours is still there, which must be nothing.
	left func(*testing.T) string
	// empty removes the images and what the collector takes with them, and
	// tells what stays.
	empty func(*testing.T) string
}

// TestDeath ends runs at random moments of pull, unpacking, view and export.
// SIGINT and SIGTERM leave nothing; SIGKILL nothing that one gc does not take;
// and the next run gives the right bytes. SOAK=500 is how often for each.
func TestDeath(t *testing.T) {
	needsRoot(t)
	inMemory(t)
	r := startRegistry(t, registryOptions{})
	r.push(t, "small:1", small())
	hosts := hostsDir(t, "example.com", "server = \"http://"+r.host+"\"\n")
	archive := writeArchive(t, smallName, small())
	want := ctrRootfs(t, "export", "oci-archive:"+archive).stdout
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM} {
		for where, start := range map[string]func(*testing.T, string, string) *mortal{"daemon": mortalDaemon, "embedded": mortalEmbedded} {
			t.Run(where+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				m := start(t, archive, hosts)
				m.die(t, sig, outputDir{t.TempDir(), want})
			})
		}
	}
}

func mortalDaemon(t *testing.T, archive, hosts string) *mortal {
	return mortalIn(t, daemon.Start(t, daemon.Options{}), archive, hosts)
}

func mortalIn(t *testing.T, d *daemon.Daemon, archive, hosts string) *mortal {
	before := d.Left(t, "default", "overlayfs")
	image := func(flags ...string) func(t *testing.T) {
		return func(t *testing.T) { d.Ctr(t, append(append([]string{"images", "import"}, flags...), archive)...) }
	}
	ofOurs := func(line string) bool {
		return strings.Contains(line, "ctr-rootfs-") || strings.Contains(line, "extract-")
	}
	m := &mortal{store: []string{"--hosts-dir", hosts, "--address", d.Address}, name: smallName, temp: t.TempDir()}
	m.courses = []course{
		{"pull", []string{"--pull", "always", smallName}, func(*testing.T) {}},
		{"unpack", []string{smallName}, image("--no-unpack")},
		{"view", []string{smallName}, image()},
	}
	m.left = func(t *testing.T) string {
		// The daemon's differ mounts while it applies a layer, and goes on for
		// a moment when its client is gone.
		waitUntil(t, "the daemon has unmounted", func() bool { return len(d.Left(t, "default", "overlayfs").Mounts) == 0 })
		var left []string
		for line := range strings.Lines(d.Left(t, "default", "overlayfs").Since(before)) {
			if ofOurs(line) {
				left = append(left, strings.TrimSpace(line))
			}
		}
		return strings.Join(left, ", ")
	}
	m.empty = func(t *testing.T) string {
		d.Ctr(t, "images", "rm", "--sync", smallName)
		d.Collect(t)
		left := d.Left(t, "default", "overlayfs").Since(before)
		if blobs := strings.Fields(d.Ctr(t, "content", "ls", "-q")); len(blobs) != 0 {
			left += " blobs " + strings.Join(blobs, " ")
		}
		if ingests := strings.TrimSpace(d.Ctr(t, "content", "active")); strings.Count(ingests, "\n") > 0 {
			left += " ingests " + ingests
		}
		return left
	}
	return m
}

func mortalEmbedded(t *testing.T, archive, hosts string) *mortal {
	dir := filepath.Join(t.TempDir(), "store")
	m := &mortal{store: []string{"--hosts-dir", hosts, "--store", dir, "--via", "view"}, name: smallName, temp: t.TempDir()}
	before := mounts(t, "self", []string{"/sys", dir, m.temp})
	m.courses = []course{
		{"pull", []string{smallName}, func(*testing.T) {}},
		{"import", []string{"oci-archive:" + archive}, func(*testing.T) {}},
		{"view", []string{smallName}, func(t *testing.T) { m.run(t, "ls", smallName) }},
		{"layers", []string{"--via", "layers", smallName}, func(t *testing.T) { m.run(t, "ls", smallName) }},
	}
	m.left = func(t *testing.T) string {
		var left []string
		if now := mounts(t, "self", []string{"/sys", dir, m.temp}); !slices.Equal(now, before) {
			left = append(left, now...)
		}
		// Who was interrupted has collected his own garbage: a lease that is
		// left would be reaped here, and told.
		if said := m.run(t, "gc").stderr; !strings.Contains(said, "removed what 0 crashed runs left") || strings.Contains(said, "kept") {
			left = append(left, strings.TrimSpace(said))
		}
		return strings.Join(left, ", ")
	}
	m.empty = func(t *testing.T) string {
		m.run(t, "gc", "--images")
		return strings.Join(regularFiles(t, dir), ", ")
	}
	return m
}

func (m *mortal) run(t *testing.T, verb string, args ...string) outcome {
	t.Helper()
	return invocation{args: append(append([]string{verb}, m.store...), args...)}.succeed(t)
}

// die ends runs until enough of them did not end by themselves.
func (m *mortal) die(t *testing.T, sig syscall.Signal, out outputDir) {
	// A shell has what it runs in the background ignore SIGINT, and so would
	// the runs; what this process catches they do not inherit.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, sig)
	defer signal.Stop(caught)
	random := seeded(t)
	whole := map[string]time.Duration{}
	died := map[string]int{}
	for n, tries := 0, rounds(t, 8); n < tries && !t.Failed(); {
		c := m.courses[random.IntN(len(m.courses))]
		c.prepare(t)
		args := append(append([]string{"export"}, m.store...), "-o", out.file())
		i := invocation{args: append(args, c.args...), env: []string{"TMPDIR=" + m.temp}}
		if whole[c.name] == 0 {
			start := time.Now()
			i.succeed(t)
			whole[c.name] = time.Since(start)
			out.check(t, true, true)
		} else {
			after := time.Duration(random.Int64N(int64(whole[c.name])))
			if m.interrupt(t, i, sig, after, out) {
				died[c.name]++
				if n++; n%50 == 0 {
					t.Logf("%s: %v so far", sig, died)
				}
			}
			if t.Failed() {
				t.Errorf("it was %s after %s of the course %q", sig, after, c.name)
				return
			}
		}
		m.goOn(t, random, sig, out)
		if left := m.empty(t); left != "" {
			t.Errorf("after the course %q, when the images are removed, there is: %s", c.name, left)
		}
	}
	t.Logf("%s: %v of courses of %v", sig, died, whole)
}

// interrupt runs i, ends it after a while and says whether it had not ended
// by itself.
func (m *mortal) interrupt(t *testing.T, i invocation, sig syscall.Signal, after time.Duration, out outputDir) bool {
	t.Helper()
	cmd := i.command()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Signal(sig) // it may be through
	_ = cmd.Wait()              // its status is asked for below
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	// Before the binary listens to signals, they end it as they end any.
	died := status.Signaled() && status.Signal() == sig || status.ExitStatus() == 128+int(sig)
	if !died && status != 0 {
		t.Errorf("exit status %d (%v)\n%s", status.ExitStatus(), cmd.ProcessState, &stderr)
	}
	out.check(t, !died, !died || sig == syscall.SIGKILL)
	if lines := errorLines(stderr.String()); status.Exited() && died && len(lines) != 1 {
		t.Errorf("stderr has %d lines, want 1: %q", len(lines), lines)
	}
	if files := regularFiles(t, m.temp); len(files) != 0 {
		t.Errorf("left in the folder for temporary files: %q", files)
	}
	return died
}

// goOn holds that what is left does no harm, and that the store works on.
func (m *mortal) goOn(t *testing.T, random *rand.Rand, sig syscall.Signal, out outputDir) {
	t.Helper()
	if sig == syscall.SIGKILL {
		m.run(t, "gc")
	}
	if left := m.left(t); left != "" {
		t.Errorf("left: %s", left)
	}
	never := invocation{args: append(append([]string{"export", "--pull", "never"}, m.store...), m.name)}.run(t)
	if never.status != statusNotFound && (never.status != 0 || !bytes.Equal(never.stdout, out.want)) {
		t.Errorf("an image that is named is not whole: exit status %d, %d bytes\n%s", never.status, len(never.stdout), never.stderr)
	}
	if random.IntN(4) > 0 && never.status == 0 {
		return
	}
	if data := m.run(t, "export", m.name).stdout; !bytes.Equal(data, out.want) {
		t.Errorf("the next run gave %d bytes, want %d", len(data), len(out.want))
	}
}
