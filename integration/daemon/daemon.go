// Package daemon starts real containerd daemons for tests, each on a root, a
// state folder and a socket of its own, and asks them what is left.
package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

const (
	// startDeadline is long since the first start on a loaded machine with two
	// cores was seen to take ten seconds.
	startDeadline = 60 * time.Second
	// stopDeadline is what a daemon gets between SIGTERM and SIGKILL.
	stopDeadline = 10 * time.Second
)

// Options says which daemon to start; the zero value is containerd 2 with
// overlayfs and without CRI.
type Options struct {
	// Tool is the tool module of the daemon, "containerd" where empty.
	Tool string
	// Bin is the folder of a daemon that is no tool's, such as a package's; it
	// must be of version 1.
	Bin string
	// CRI leaves the plugins of Kubernetes' runtime interface on.
	CRI bool
	// Config is more TOML, for plugins that are not set here.
	Config string
	// Dir is the folder for root, state and socket; a temporary one where
	// empty. A caller that mounted something there names it, see NewDir.
	Dir string
}

// Daemon is a running containerd.
type Daemon struct {
	// Address is the path of its socket.
	Address string
	// Dir holds its root, its state, its socket and its log.
	Dir string
	bin string

	process *os.Process
	// ended is closed when the process has ended, and status says how.
	ended  chan struct{}
	status error
}

// Start starts a daemon, waits until it answers, and ends it with the test.
// Without root the test is skipped.
func Start(t testing.TB, o Options) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root: starts a containerd of its own (sudo make test)")
	}
	if o.Tool == "" {
		o.Tool = "containerd"
	}
	bin := o.Bin
	if bin == "" {
		var err error
		if bin, err = tools.Dir(context.Background(), o.Tool); err != nil {
			t.Fatal(err)
		}
	}
	dir := o.Dir
	if dir == "" {
		dir = NewDir(t)
	}
	d := &Daemon{Address: filepath.Join(dir, "c.sock"), Dir: dir, bin: bin}
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte(d.config(o)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start(t, config, runtimePath(t, bin))
	t.Cleanup(func() { d.stop(t) })
	d.waitUntilItAnswers(t)
	return d
}

// NewDir makes a folder for a daemon, and removes it with the test. What the
// caller mounts in it he unmounts in a cleanup of his own, registered between
// this call and Start.
func NewDir(t testing.TB) string {
	t.Helper()
	// Not t.TempDir: a socket's path may have 107 bytes only.
	dir, err := os.MkdirTemp("", "ctrd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(t, dir) })
	return dir
}

// config is the daemon's configuration: nothing of it lies in the host's
// /run or /var, but for the shims of 1.7, whose socket folder is fixed.
func (d *Daemon) config(o Options) string {
	var b strings.Builder
	disabled := []string{
		"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
		"io.containerd.podsandbox.controller.v1.podsandbox", "io.containerd.sandbox.controller.v1.shim",
	}
	if o.CRI {
		disabled = nil
	}
	disabled = append(disabled, "io.containerd.nri.v1.nri", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp")
	version := 3
	if o.Bin != "" || strings.HasPrefix(o.Tool, "containerd-1") {
		version = 2
	}
	fmt.Fprintf(&b, "version = %d\nroot = %q\nstate = %q\n", version, filepath.Join(d.Dir, "root"), filepath.Join(d.Dir, "state"))
	fmt.Fprintf(&b, "disabled_plugins = [\"%s\"]\n", strings.Join(disabled, `", "`))
	fmt.Fprintf(&b, "[grpc]\naddress = %q\n[ttrpc]\naddress = %q\n", d.Address, d.Address+".ttrpc")
	fmt.Fprintf(&b, "[plugins.\"io.containerd.internal.v1.opt\"]\npath = %q\n", filepath.Join(d.Dir, "opt"))
	if version > 2 {
		fmt.Fprintf(&b, "[plugins.\"io.containerd.shim.v1.manager\"]\nsocket_dir = %q\n", filepath.Join(d.Dir, "s"))
	}
	return b.String() + o.Config
}

// runtimePath is the PATH on which the daemon finds its own shim and runc
// before any that the machine has: a shim of 1.6 fails under a daemon of 2.x.
func runtimePath(t testing.TB, bin string) string {
	t.Helper()
	runc, err := tools.Dir(context.Background(), "runc")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{bin, runc, os.Getenv("PATH")}, ":")
}

// start runs the daemon from a thread that lives as long as it does, since
// Pdeathsig, which ends it even when the tests are killed, goes by thread.
func (d *Daemon) start(t testing.TB, config, path string) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(d.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan error), make(chan struct{})
	d.ended = ended
	go func() {
		runtime.LockOSThread()
		defer log.Close()
		cmd := exec.Command(filepath.Join(d.bin, "containerd"), "--config", config)
		cmd.Env = append(os.Environ(), "PATH="+path)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		err := cmd.Start()
		d.process = cmd.Process
		started <- err
		if err == nil {
			d.status = cmd.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting containerd: %v", err)
	}
}

func (d *Daemon) waitUntilItAnswers(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(startDeadline); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-d.ended:
			t.Fatalf("containerd ended while it started: %v\n%s", d.status, d.Log())
		default:
		}
		_, err := d.Run("version")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("containerd does not answer after %v: %v\n%s", startDeadline, err, d.Log())
		}
	}
}

// Log gives the last lines of the daemon's log.
func (d *Daemon) Log() string {
	const lines = 15
	data, err := os.ReadFile(filepath.Join(d.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Run calls the daemon's ctr and gives what it prints.
func (d *Daemon) Run(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(d.bin, "ctr"), append([]string{"--address", d.Address}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

// Ctr is Run for a call that must not fail.
func (d *Daemon) Ctr(t testing.TB, args ...string) string {
	t.Helper()
	out, err := d.Run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Pause stops the daemon from answering, without ending it, until resume is
// called or the test ends: its socket accepts connections and says nothing.
func (d *Daemon) Pause(t testing.TB) (resume func()) {
	t.Helper()
	if err := d.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resume = func() {
		if err := d.process.Signal(syscall.SIGCONT); err != nil {
			t.Errorf("resuming containerd: %v", err)
		}
	}
	t.Cleanup(resume)
	return resume
}
