package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// writing are the calls that could change what lies on a disk.
const writing = "open,openat,openat2,creat,truncate,ftruncate,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir," +
	"chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utimensat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr"

var (
	// Of a call in two lines the first has all that is asked for. strace 6.1 has
	// no names for getxattrat(2) and listxattrat(2).
	harmless = regexp.MustCompile(` fsopen\(| resumed>|syscall_0x1d[01]\(`)
	reading  = regexp.MustCompile(`^\d+ +open(at|at2)?\(.*\bO_(RDONLY|PATH)\b`)
	making   = regexp.MustCompile(`\bO_(CREAT|TRUNC)\b`)
)

// TestNothingIsOpenedForWriting sees by strace that an export to standard output
// opens nothing but for reading, and changes nothing: a running container's root
// is writable, and so is what the mount manager's binds show in a pod.
func TestNothingIsOpenedForWriting(t *testing.T) {
	needsStrace(t)
	d := daemon.Start(t, daemon.Options{Dir: sharedDir(t)})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	startWriter(t, d, nil, "running")
	committed := committedOf(t, d, standardName)
	for name, c := range map[string]struct{ source, as, inject string }{
		"an image":             {standardName, "", ""},
		"a running container":  {"container:running", "", ""},
		"by the mount manager": {standardName, "setpriv --bounding-set=-sys_admin", ""},
		"by overlayfs":         {committed, "", ""},
		"on an old kernel":     {committed, "", "-e inject=fsopen:error=ENOSYS"},
	} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "strace.log")
			trace := `exec ` + c.as + ` strace -f -qq -o "` + log + `" -e signal=none -e trace=fsopen,` + writing + ` ` + c.inject + ` "$@" --host-root "$host" --address "$host$dir/c.sock"`
			o := inPod(t, d, "rslave", trace, programs.ctrRootfs, "export", "--via", "view", c.source)
			if o.status != 0 {
				t.Fatalf("exit status %d\n%s", o.status, o.stderr)
			}
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			opened := 0
			for line := range strings.Lines(string(text)) {
				switch {
				case harmless.MatchString(line):
				case reading.MatchString(line) && !making.MatchString(line):
					opened++
				default:
					t.Errorf("it does %s", line)
				}
			}
			if opened == 0 {
				t.Error("it opens nothing at all, or strace does not show it")
			}
		})
	}
}
