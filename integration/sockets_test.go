package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKnownSockets runs the binary on hosts whose containerd listens elsewhere
// than containerd's default: the error names it with the flag, and no embedded
// store is taken in its place. Such a host is a mount namespace with a /run of
// its own, and a /var/lib/ctr-rootfs that would show.
func TestKnownSockets(t *testing.T) {
	needsRoot(t)
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("SKIPPED: unshare is not installed: integration/install-deps")
	}
	// A rootless containerd has the default address, in another namespace.
	const rootless = `
mkdir -p $USERRUN/containerd-rootless
unshare --mount sh -c 'mount -t tmpfs none /run && mkdir /run/containerd && : >/run/containerd/containerd.sock && exec sleep 30' &
child=$!
trap 'kill $child' EXIT
until [ -e /proc/$child/root/run/containerd/containerd.sock ]; do sleep 0.05; done
echo $child >$USERRUN/containerd-rootless/child_pid
`
	for name, c := range map[string]struct {
		// host makes the host, and want is in the error.
		host, want string
	}{
		"k3s":         {"mkdir -p /run/k3s/containerd && : >/run/k3s/containerd/containerd.sock", "--address /run/k3s/containerd/containerd.sock"},
		"docker":      {"mkdir -p /run/docker/containerd && : >/run/docker/containerd/containerd.sock", "--address /run/docker/containerd/containerd.sock"},
		"user's":      {"mkdir -p $USERRUN/containerd && : >$USERRUN/containerd/containerd.sock", "--address /run/user/0/containerd/containerd.sock"},
		"RootlessKit": {rootless, "/root/run/containerd/containerd.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			lib := t.TempDir()
			script := "set -e\nmount -t tmpfs none /run\nmount --bind \"$1\" /var/lib\nUSERRUN=/run/user/$(id -u)\n" + c.host +
				"\n\"$0\" export -o /dev/null example.com/a:1\n"
			cmd := exec.Command("unshare", "--mount", "sh", "-c", script, programs.ctrRootfs, lib)
			cmd.Env = invocation{env: []string{"XDG_RUNTIME_DIR="}}.command().Env
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); cmd.ProcessState == nil {
				t.Fatal(err)
			}
			lines := errorLines(stderr.String())
			if status := cmd.ProcessState.ExitCode(); status != statusFailed || len(lines) != 1 || !strings.Contains(lines[0], c.want) {
				t.Errorf("exit status %d, want %q in:\n%s", status, c.want, stderr.String())
			}
			if _, err := os.Stat(filepath.Join(lib, "ctr-rootfs")); !os.IsNotExist(err) {
				t.Errorf("an embedded store was made: %v", err)
			}
		})
	}
}
