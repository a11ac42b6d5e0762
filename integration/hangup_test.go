package integration_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestHangup ends an export as the end of its terminal does: exit status 129, and
// nothing left. Under nohup, which has the signal ignored, it goes on.
func TestHangup(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	for name, c := range map[string]struct {
		ignored bool
		status  int
	}{"hung up": {false, 129}, "nohup": {true, 0}} {
		t.Run(name, func(t *testing.T) {
			// What is started inherits what is ignored, and nothing that is handled.
			handled := make(chan os.Signal, 1)
			signal.Notify(handled, syscall.SIGHUP)
			defer signal.Stop(handled)
			if c.ignored {
				signal.Ignore(syscall.SIGHUP)
			}
			s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
			output, status := s.end(t, syscall.SIGHUP)
			if status != c.status {
				t.Errorf("exit status %d, want %d\n%s", status, c.status, s.stderr)
			}
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("it left:\n%s", left)
			}
			if c.status == 0 {
				readTar(t, output)
				return
			}
			refuseTar(t, output)
			checkError(t, s.stderr.String(), "exporting \""+largeName+"\"", "hangup")
		})
	}
	t.Run("to a file", func(t *testing.T) {
		handled := make(chan os.Signal, 1)
		signal.Notify(handled, syscall.SIGHUP)
		defer signal.Stop(handled)
		dir := t.TempDir()
		cmd := invocation{args: []string{"export", "--address", d.Address, "--compress", "gzip:9", "-o", filepath.Join(dir, "a.tar.gz"), largeName}}.command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitForLease(t, d, before)
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatalf("the export ended before the signal: %v", err)
		}
		_ = cmd.Wait() // its status is asked for below
		if status := cmd.ProcessState.ExitCode(); status != 129 {
			t.Errorf("exit status %d, want 129", status)
		}
		checkFolder(t, dir, "")
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("it left:\n%s", left)
		}
	})
}

// TestDirectoryThatCannotBeFinished is written by an ordinary user, who may make
// the image's one directory and not give it its owner, which is done last: nothing
// of it stays.
func TestDirectoryThatCannotBeFinished(t *testing.T) {
	needsRoot(t)
	archive := writeArchive(t, "", oneDirectory())
	folder := t.TempDir()
	const nobody = 65534
	for _, open := range []string{filepath.Dir(programs.ctrRootfs), filepath.Dir(archive), filepath.Dir(filepath.Dir(archive)), filepath.Dir(folder)} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(archive, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for name, made := range map[string]bool{"new": false, "empty": true} {
		out := filepath.Join(folder, name)
		if made {
			if err := os.Mkdir(out, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(out, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		var stderr strings.Builder
		cmd := invocation{args: []string{"export", "--profile", "none", "--format", "dir", "-o", out, "oci-archive:" + archive}}.command()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir, cmd.Stderr = "/", &stderr
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if status := cmd.ProcessState.ExitCode(); status != statusFailed {
			t.Errorf("%s: exit status %d", name, status)
		}
		checkError(t, stderr.String(), "owner", "--no-same-owner")
		left, err := os.ReadDir(out)
		if made && (err != nil || len(left) != 0) || !made && !os.IsNotExist(err) {
			t.Errorf("%s: it left %v, %v", name, left, err)
		}
	}
}

func oneDirectory() imagetest.Image {
	return imagetest.Image{Layers: []imagetest.Layer{{imagetest.Dir("d", 0o755)}}}
}
