package integration_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// absence is how long a daemon is away: longer than a call takes, shorter than
// undoing is tried.
const absence = 2 * time.Second

// TestDaemonRestartsWhileExporting kills a daemon whose view is read, and
// starts it again when the export is through: the view is mounted, so the
// export is whole, and what it made is removed when the daemon is back.
func TestDaemonRestartsWhileExporting(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	export := invocation{args: []string{"export", "--address", d.Address, "--profile", "none", largeName}}
	want := export.succeed(t).stdout
	s := stall(t, export)
	d.Kill(t)
	tail := make([]byte, len(want)-len(s.head))
	if _, err := io.ReadFull(s.stdout, tail); err != nil {
		t.Fatalf("reading on without a daemon: %v\n%s", err, s.stderr)
	}
	s.head = append(s.head, tail...)
	time.Sleep(absence)
	d.Restart(t)
	output, status := s.rest(t)
	if status != 0 || !slices.Equal(output, want) {
		t.Errorf("exit status %d, %d bytes of %d\n%s", status, len(output), len(want), s.stderr)
	}
	if !strings.Contains(s.stderr.String(), "waiting up to 30s for containerd") {
		t.Errorf("it does not say that it waits:\n%s", s.stderr)
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("it left:\n%s", left)
	}
}

// TestDaemonStaysAway has a daemon come back too late, from the dead or from
// standing still: the error says what is left, and gc removes it.
func TestDaemonStaysAway(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*testing.T, *daemon.Daemon) (back func()){
		"killed": func(t *testing.T, d *daemon.Daemon) func() {
			d.Kill(t)
			return func() { d.Restart(t) }
		},
		"paused": func(t *testing.T, d *daemon.Daemon) func() { return d.Pause(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkStaysAway(t, leave)
		})
	}
}

func checkStaysAway(t *testing.T, leave func(*testing.T, *daemon.Daemon) (back func())) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
	back := leave(t, d)
	_, status := s.rest(t)
	back()
	if status != statusFailed {
		t.Errorf("exit status %d, want %d", status, statusFailed)
	}
	lines := errorLines(s.stderr.String())
	if last := lines[len(lines)-1]; !strings.Contains(last, "removing ") || !strings.Contains(last, "no answer") || !strings.Contains(last, "ctr-rootfs gc") {
		t.Errorf("the error is %q", last)
	}
	ctrRootfs(t, "gc", "--address", d.Address)
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("after gc there is:\n%s", left)
	}
}

// checkRestart runs an export until it has begun, kills the daemon and starts it
// again: a clear error, no output, and nothing left.
func checkRestart(t *testing.T, d *daemon.Daemon, args []string, begun func() bool) {
	t.Helper()
	before := d.Left(t, "default", "overlayfs")
	out := filepath.Join(t.TempDir(), "out.tar")
	var stderr strings.Builder
	cmd := invocation{args: append([]string{"export", "--address", d.Address, "-o", out}, args...)}.command()
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !begun(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never came so far:\n%s", stderr.String())
		}
	}
	d.Kill(t)
	time.Sleep(absence)
	d.Restart(t)
	_ = cmd.Wait() // its status is asked for below
	if _, err := os.Stat(out); cmd.ProcessState.ExitCode() != statusFailed || !os.IsNotExist(err) {
		t.Errorf("exit status %d, want %d; the output: %v\n%s", cmd.ProcessState.ExitCode(), statusFailed, err, stderr.String())
	}
	lines := errorLines(stderr.String())
	if last := lines[len(lines)-1]; !strings.Contains(last, "containerd") || !strings.Contains(last, "gone away") || strings.Contains(last, "rpc error") {
		t.Errorf("the error is %q", last)
	}
	d.Collect(t)
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("it left:\n%s", left)
	}
}

// TestDaemonRestartsWhileUnpacking has so many layers that their unpacking is
// seen on a busy machine, too.
func TestDaemonRestartsWhileUnpacking(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, smallName, imagetest.ManyLayers(100)))
	checkRestart(t, d, []string{smallName}, func() bool {
		return len(d.Left(t, "default", "overlayfs").Snapshots) > 1
	})
}

// TestDaemonRestartsWhilePulling has the registry stand still in the middle of
// a blob until the daemon is gone.
func TestDaemonRestartsWhilePulling(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	blob, data := largest(r.push(t, "standard:1", standard(t)))
	half, gone := make(chan struct{}), make(chan struct{})
	_, url := r.before(t, func(w http.ResponseWriter, req *http.Request, n int) bool {
		if n > 1 || !strings.HasSuffix(req.URL.Path, "/blobs/"+blob.String()) {
			return false
		}
		_, _ = w.Write(data[:len(data)/2]) // the client hangs up
		w.(http.Flusher).Flush()
		close(half)
		<-gone
		_, _ = w.Write(data[len(data)/2:])
		return true
	})
	checkRestart(t, d, []string{"--hosts-dir", servedBy(t, url), standardName}, func() bool {
		<-half
		time.AfterFunc(absence/2, func() { close(gone) })
		return true
	})
}
