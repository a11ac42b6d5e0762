package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// inPod runs script, which ends in an exec of "$@", where the host's root is at
// $host and the daemon's folder $dir shows nothing: a mount namespace of its
// own, to which mounts that the daemon makes later come as propagation says.
func inPod(t *testing.T, d *daemon.Daemon, propagation, script string, args ...string) outcome {
	t.Helper()
	needsRoot(t)
	host := filepath.Join(t.TempDir(), "host")
	if err := os.Mkdir(host, 0o700); err != nil {
		t.Fatal(err)
	}
	prepare := `set -e
mount --make-rslave /
mount --rbind / "$host"
mount --make-` + propagation + ` "$host"
mount -t tmpfs none "$dir"
` + script
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation", "unchanged", "sh", "-c", prepare, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "host="+host, "dir="+d.Dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()}
}

// TestHostRoot exports an image and a running container from where the host's
// root is elsewhere: the same bytes.
func TestHostRoot(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	startWriter(t, d, nil, "running")
	before := d.Left(t, "default", "overlayfs")
	for _, source := range []string{standardName, "container:running"} {
		args := []string{programs.ctrRootfs, "export", "--reproducible", "--via", "view", source}
		want := ctrRootfs(t, append(args[1:], "--address", d.Address)...).stdout
		o := inPod(t, d, "rslave", `exec "$@" --host-root "$host" --address "$host$dir/c.sock"`, args...)
		if o.status != 0 || !bytes.Equal(o.stdout, want) {
			t.Errorf("%s: exit status %d, %d bytes differ from the host's %d\n%s", source, o.status, len(o.stdout), len(want), o.stderr)
		}
		// Without the flag, the layers are not where the daemon says.
		o = inPod(t, d, "rslave", `exec "$@" --address "$host$dir/c.sock"`, args...)
		if source == standardName {
			checkError(t, o.stderr, `opening "`+d.Dir, "no such file or directory", "--host-root")
		}
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
}

// sharedDir is a daemon's folder below which mounts propagate, as systemd makes
// the root of a node.
func sharedDir(t *testing.T) string {
	t.Helper()
	needsRoot(t)
	dir := daemon.NewDir(t)
	command(t, nil, "mount", "--bind", dir, dir)
	t.Cleanup(func() { command(t, nil, "umount", dir) })
	command(t, nil, "mount", "--make-rshared", dir)
	return dir
}

// TestWithoutSysAdmin exports where this process may not mount: the daemon's
// mount manager mounts, and what it mounted propagates. Where it does not, the
// directory in its place is empty, and must not pass for the image.
func TestWithoutSysAdmin(t *testing.T) {
	d := daemon.Start(t, daemon.Options{Dir: sharedDir(t)})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	before := d.Left(t, "default", "overlayfs")
	args := []string{programs.ctrRootfs, "export", "--reproducible", "--via", "view", standardName}
	want := ctrRootfs(t, append(args[1:], "--address", d.Address)...).stdout
	const exec = `exec setpriv --bounding-set=-sys_admin "$@" --host-root "$host" --address "$host$dir/c.sock"`
	if o := inPod(t, d, "rslave", exec, args...); o.status != 0 || !bytes.Equal(o.stdout, want) {
		t.Errorf("exit status %d, %d bytes differ from the host's %d\n%s", o.status, len(o.stdout), len(want), o.stderr)
	}
	o := inPod(t, d, "rprivate", exec, args...)
	if o.status != 1 {
		t.Errorf("where mounts do not propagate: exit status %d, %d bytes", o.status, len(o.stdout))
	}
	checkError(t, o.stderr, "what containerd has mounted there is not to be seen from here", "mountPropagation: HostToContainer")

	old := daemon.Start(t, daemon.Options{Tool: "containerd-1.7"}) // it has no mount manager
	old.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	o = inPod(t, old, "rslave", exec, args...)
	checkError(t, o.stderr, "operation not permitted", "CAP_SYS_ADMIN", "--via layers")
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
}
