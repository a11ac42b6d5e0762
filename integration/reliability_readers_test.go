package integration_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestReaderGoesAway closes the pipe that an export writes to.
func TestReaderGoesAway(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, largeName, large())
	d.Ctr(t, "images", "import", archive)
	before := d.Left(t, "default", "overlayfs")
	for name, args := range map[string][]string{
		"view":       {"--address", d.Address, largeName},
		"compressed": {"--address", d.Address, "--compress", "zstd", largeName},
		"layers":     {"oci-archive:" + archive},
	} {
		t.Run(name, func(t *testing.T) {
			s := stall(t, invocation{args: append([]string{"export"}, args...)})
			if err := s.stdout.Close(); err != nil {
				t.Fatal(err)
			}
			_ = s.cmd.Wait() // its status is asked for below
			if status := s.cmd.ProcessState.ExitCode(); status != statusFailed {
				t.Errorf("exit status %d (%v), want %d", status, s.cmd.ProcessState, statusFailed)
			}
			checkError(t, s.stderr.String(), "broken pipe")
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("left:\n%s", left)
			}
		})
	}
}

// stalling is how long a reader does not read, who does no harm by it.
const stalling = time.Minute

// TestReaderStalls has nobody read on: for a while, which does no harm, and
// for longer than --timeout.
func TestReaderStalls(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, largeName, large())
	d.Ctr(t, "images", "import", archive)
	before := d.Left(t, "default", "overlayfs")
	want := ctrRootfs(t, "export", "oci-archive:"+archive).stdout
	t.Run("reads on", func(t *testing.T) {
		t.Parallel()
		s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
		time.Sleep(stalling)
		if output, status := s.rest(t); status != 0 || !bytes.Equal(output, want) {
			t.Errorf("exit status %d, %d bytes, want %d\n%s", status, len(output), len(want), s.stderr)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		for name, args := range map[string][]string{"view": {"--address", d.Address, largeName}, "layers": {"oci-archive:" + archive}} {
			start := time.Now()
			s := stall(t, invocation{args: append([]string{"export", "--timeout", "3s"}, args...)})
			_, err := s.cmd.Process.Wait()
			if took := time.Since(start); err != nil || took > 15*time.Second {
				t.Errorf("%s: it ended after %s (%v)", name, took, err)
			}
			output, err := io.ReadAll(s.stdout)
			if err != nil {
				t.Fatal(err)
			}
			_ = s.cmd.Wait() // who copies stderr is through; the process was waited for
			checkError(t, s.stderr.String(), "--timeout")
			if len(output)+len(s.head) >= len(want) {
				t.Errorf("%s: %d bytes were written to nobody", name, len(output))
			}
		}
	})
	t.Cleanup(func() {
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("left:\n%s", left)
		}
	})
}

// fullPipe gives the end to write to of a pipe that has no room. It is larger
// than the tool makes one.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return w
}

// ended gives the exit status of a command whose reader stalls: --timeout ends it,
// or, where that is "0s", a signal.
func ended(t *testing.T, cmd *exec.Cmd, timeout string) int {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if timeout == "0s" {
		time.Sleep(3 * time.Second)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("it did not wait for its reader: %v", err)
		}
	}
	_ = cmd.Wait() // its status is what is asked for
	return cmd.ProcessState.ExitCode()
}

// TestReaderOfTextStalls has verbs that print write to a full pipe, until
// --timeout or a signal ends them.
func TestReaderOfTextStalls(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, smallName, small())
	d.Ctr(t, "images", "import", archive)
	before := d.Left(t, "default", "overlayfs")
	t.Cleanup(func() {
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("left:\n%s", left)
		}
	})
	for name, args := range map[string][]string{
		"ls":     {"--address", d.Address, "ls", smallName},
		"layers": {"ls", "oci-archive:" + archive},
		"spec":   {"--address", d.Address, "spec", smallName, "--", "/bin/sh"},
		"images": {"--address", d.Address, "images"},
		"key":    {"--address", d.Address, "export", "--print-key", smallName},
	} {
		for timeout, want := range map[string]int{"3s": statusFailed, "0s": 128 + int(syscall.SIGTERM)} {
			t.Run(name+" "+timeout, func(t *testing.T) {
				t.Parallel()
				var stderr bytes.Buffer
				cmd := invocation{args: append([]string{"--timeout", timeout}, args...)}.command()
				cmd.Stdout, cmd.Stderr = fullPipe(t), &stderr
				if status := ended(t, cmd, timeout); status != want {
					t.Errorf("exit status %d, want %d\n%s", status, want, &stderr)
				} else if want == statusFailed {
					checkError(t, stderr.String(), "--timeout")
				}
			})
		}
	}
}

// TestReaderOfErrorsStalls has an export tell what it does to a full pipe, until
// --timeout or a signal ends it: what it made is undone.
func TestReaderOfErrorsStalls(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, smallName, small()))
	before := d.Left(t, "default", "overlayfs")
	for timeout, want := range map[string]int{"3s": statusFailed, "0s": 128 + int(syscall.SIGTERM)} {
		for _, mode := range []string{"plain", "json"} {
			cmd := invocation{args: []string{"--timeout", timeout, "--progress", mode, "--address", d.Address, "export", "-o", "/dev/null", smallName}}.command()
			cmd.Stderr = fullPipe(t)
			if status := ended(t, cmd, timeout); status != want {
				t.Errorf("%s, --timeout %s: exit status %d, want %d", mode, timeout, status, want)
			}
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("%s, --timeout %s: it left:\n%s", mode, timeout, left)
			}
		}
	}
}
