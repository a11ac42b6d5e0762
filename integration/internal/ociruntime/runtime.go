// Package ociruntime starts bundles by the OCI runtimes that a machine has: runc
// as its module names it, Debian's runc and Debian's crun.
package ociruntime

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// startDeadline is long since a start was seen to take three seconds on a
// loaded machine with two cores.
const startDeadline = 60 * time.Second

// unified is the second hierarchy of hybrid cgroups. crun 1.8 refuses a host
// that has controllers there; in a mount namespace of its own it does not see
// them.
const unified = "/sys/fs/cgroup/unified"

// OldRunc is the name of Debian's runc, which is 1.1.5 on Debian 12.
const OldRunc = "runc of Debian"

// Runtime is one OCI runtime.
type Runtime struct {
	// Name is for the names of tests.
	Name string
	path string
	// hybrid says that the runtime copes with hybrid cgroups.
	hybrid bool
}

// Start is one start of a bundle.
type Start struct {
	// Bundle is the bundle's directory.
	Bundle string
	// Terminal has the runtime's standard streams be a terminal.
	Terminal bool
	// UID is the user and group who start it, without any capability; the zero
	// value is root.
	UID int
}

// All gives every runtime that tests are to start bundles with. One that is
// not installed skips the test that runs it.
func All(t testing.TB) []Runtime {
	t.Helper()
	return []Runtime{
		Built(t),
		{Name: OldRunc, path: "/usr/sbin/runc", hybrid: true},
		{Name: "crun of Debian", path: "/usr/bin/crun"},
	}
}

// Built is the runc that the module in integration/tools names.
func Built(t testing.TB) Runtime {
	t.Helper()
	bin, err := tools.Dir(context.Background(), "runc")
	if err != nil {
		t.Fatal(err)
	}
	return Runtime{Name: "runc as built", path: filepath.Join(bin, "runc"), hybrid: true}
}

// Run starts a bundle, waits for its end, and gives what it printed.
func (r Runtime) Run(t testing.TB, s Start) string {
	t.Helper()
	if _, err := os.Stat(r.path); err != nil {
		t.Skipf("SKIPPED: %s is not installed: apt-get install %s", r.path, filepath.Base(r.path))
	}
	dir := stateDir(t, s.UID)
	path := r.path
	if s.UID != 0 {
		path = copyProgram(t, path, dir) // the user may not reach the tool's folder
	}
	id := "ctr-rootfs-" + filepath.Base(dir)
	call := append(r.prefix(s), path, "--root", filepath.Join(dir, "state"))
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	stdout, stderr, err := run(ctx, s.Terminal, append(call, "run", "--bundle", s.Bundle, id))
	if err != nil {
		// A runtime that was killed leaves its container; else there is none.
		if _, _, undo := run(context.Background(), false, append(call, "delete", "--force", id)); undo != nil {
			t.Logf("removing container %q: %v", id, undo)
		}
		t.Fatalf("%s: %v\n%s%s", r.Name, err, stdout, stderr)
	}
	return stdout
}

// prefix is what has to stand before the runtime's own path.
func (r Runtime) prefix(s Start) []string {
	var prefix []string
	if _, err := os.Stat(unified); err == nil && !r.hybrid {
		prefix = append(prefix, "unshare", "--mount", "sh", "-c", `umount "$0" && exec "$@"`, unified)
	}
	if s.UID != 0 {
		id := strconv.Itoa(s.UID)
		prefix = append(prefix, "setpriv", "--reuid", id, "--regid", id, "--clear-groups")
	}
	return prefix
}

// stateDir is a folder that the user who starts can reach and write: one of
// t.TempDir's is root's alone.
func stateDir(t testing.TB, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "runtime")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the runtime's state: %v", err)
		}
	})
	if err := os.Chown(dir, uid, uid); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyProgram(t testing.TB, path, dir string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(target, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return target
}

func run(ctx context.Context, terminal bool, args []string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = time.Second
	if terminal {
		stdout, err = runOnTerminal(cmd)
		return stdout, "", err
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// runOnTerminal gives what the command and its container printed, with the
// line ends that were meant.
func runOnTerminal(cmd *exec.Cmd) (string, error) {
	master, slave, err := openTerminal()
	if err != nil {
		return "", err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = controlling()
	err = errors.Join(cmd.Start(), slave.Close())
	if err != nil {
		return "", errors.Join(err, master.Close())
	}
	var out bytes.Buffer
	// Reading a terminal that nobody has open any more is EIO, its end of file.
	_, _ = io.Copy(&out, master)
	err = errors.Join(cmd.Wait(), master.Close())
	return strings.ReplaceAll(out.String(), "\r\n", "\n"), err
}
