package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// withCapabilities runs the binary as uid 0, to whom the daemon's socket
// belongs, with no other capabilities than those that are named.
func withCapabilities(t *testing.T, capabilities []string, args ...string) outcome {
	t.Helper()
	set := "-all"
	for _, c := range capabilities {
		set += ",+" + c
	}
	setpriv := []string{"--bounding-set=" + set, "--inh-caps=" + set, "--no-new-privs", programs.ctrRootfs}
	cmd := exec.Command("setpriv", append(setpriv, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()}
}

// TestCapabilities holds what each way needs, and that it says so: files that
// belong to others and are closed to all are either read or an error.
func TestCapabilities(t *testing.T) {
	d, old := daemon.Start(t, daemon.Options{}), daemon.Start(t, daemon.Options{Tool: "containerd-1.7"})
	archive := writeArchive(t, standardName, standard(t))
	for _, d := range []*daemon.Daemon{d, old} {
		d.Ctr(t, "images", "import", archive)
	}
	want := ctrRootfs(t, "export", "--reproducible", "--address", d.Address, standardName).stdout
	const admin, search = "sys_admin", "dac_read_search"
	for _, c := range []struct {
		name         string
		capabilities []string
		args         []string
		// wants are in the error; none where the bytes are to be right.
		wants []string
	}{
		{"both", []string{admin, search}, []string{"--address", old.Address, standardName}, nil},
		{"both, containerd 2", []string{admin, search}, []string{"--address", d.Address, standardName}, nil},
		{"the daemon mounts", []string{search}, []string{"--address", d.Address, standardName}, nil},
		{"no mounting", []string{search}, []string{"--address", old.Address, standardName}, []string{"CAP_SYS_ADMIN", "--via layers"}},
		{"no reading", []string{admin}, []string{"--address", old.Address, standardName}, []string{"permission denied", "CAP_DAC_READ_SEARCH"}},
		{"no reading, containerd 2", []string{admin}, []string{"--address", d.Address, standardName}, []string{"permission denied", "CAP_DAC_READ_SEARCH"}},
		{"nothing", nil, []string{"--address", old.Address, standardName}, []string{"CAP_"}},
		{"nothing, by layers", nil, []string{"--address", old.Address, "--via", "layers", standardName}, nil},
		{"nothing, an archive", nil, []string{"oci-archive:" + archive}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := withCapabilities(t, c.capabilities, append([]string{"export", "--reproducible"}, c.args...)...)
			if len(c.wants) == 0 {
				if o.status != 0 || !bytes.Equal(o.stdout, want) {
					t.Errorf("exit status %d, %d bytes, want %d\n%s", o.status, len(o.stdout), len(want), o.stderr)
				}
				return
			}
			if o.status != statusFailed {
				t.Errorf("exit status %d, want %d", o.status, statusFailed)
			}
			checkError(t, o.stderr, c.wants...)
		})
	}
}

// TestOutputIsPrivate looks at an output while it is written: it has no name
// in its folder and is open to its owner alone; then the umask decides.
func TestOutputIsPrivate(t *testing.T) {
	needsRoot(t)
	archive := writeArchive(t, largeName, large())
	for _, umask := range []os.FileMode{0, 0o022, 0o077} {
		t.Run(fmt.Sprintf("%03o", umask), func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out.tar")
			args := []string{"-c", fmt.Sprintf("umask %03o; exec \"$0\" \"$@\"", umask), programs.ctrRootfs, "export", "-o", out, "oci-archive:-"}
			cmd := exec.Command("sh", args...)
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The output is open before the archive has come.
			var seen []string
			waitUntil(t, "the output is open", func() bool {
				seen = openBelow(t, cmd.Process.Pid, dir)
				return len(seen) > 0
			})
			for _, mode := range seen {
				if mode != "-rw-------" {
					t.Errorf("the output has the mode %s while it is written", mode)
				}
			}
			data, err := os.ReadFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stdin.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(out); err != nil || info.Mode() != 0o666&^umask {
				t.Errorf("the output has the mode %v (%v), want %v", info.Mode(), err, 0o666&^umask)
			}
		})
	}
}

// openBelow gives the modes of the files below dir, named or not, that a
// process has open.
func openBelow(t *testing.T, pid int, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var modes []string
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil || !strings.HasPrefix(target, dir+"/") {
			continue // closed by now, or another one
		}
		if info, err := os.Stat(file); err == nil {
			modes = append(modes, info.Mode().String())
		}
	}
	return modes
}

// TestCommandLineShowsNoPassword reads the arguments and the environment of a
// run that has been given one, as every user of the host can the former.
func TestCommandLineShowsNoPassword(t *testing.T) {
	needsRoot(t)
	address := freePort(t) // nobody answers, so there is time to look
	cmd := invocation{args: []string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--plain-http", "--creds", registryUser, "--password-stdin",
		"--timeout", "20s", address + "/standard:1"}}.command()
	cmd.Stdin = strings.NewReader(registryPassword)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"cmdline", "environ", "comm"} {
		data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(registryPassword)) {
			t.Errorf("the password is in /proc/PID/%s", file)
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may be through
	_ = cmd.Wait()                          // how it ended does not matter
	if strings.Contains(stderr.String(), registryPassword) {
		t.Errorf("the password is on stderr:\n%s", &stderr)
	}
	o := invocation{args: []string{"export", "--creds", registryUser + ":" + registryPassword, standardName}}.run(t)
	if o.status != statusUsage || strings.Contains(o.stderr, registryPassword) {
		t.Errorf("--creds USER:PASSWORD: exit status %d\n%s", o.status, o.stderr)
	}
}
