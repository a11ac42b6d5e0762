package integration_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// standardName is what the standard image is called in every store.
const standardName = "example.com/standard:1"

// invocation is one run of the binary.
type invocation struct {
	args  []string
	env   []string
	stdin []byte
	// strace puts the binary under strace with these arguments, on a pid of
	// its own all the same.
	strace []string
}

// oldKernel has fsopen(2) fail as it does before Linux 5.2.
var oldKernel = []string{"-e", "trace=fsopen,unshare", "-e", "inject=fsopen:error=ENOSYS"}

// outcome is what a run gave.
type outcome struct {
	status int
	stdout []byte
	stderr string
}

// ctrRootfs runs the binary with args, and fails the test where it does.
func ctrRootfs(t *testing.T, args ...string) outcome {
	t.Helper()
	return invocation{args: args}.succeed(t)
}

func (i invocation) succeed(t *testing.T) outcome {
	t.Helper()
	o := i.run(t)
	if o.status != 0 {
		t.Fatalf("ctr-rootfs %s: exit status %d\n%s", strings.Join(i.args, " "), o.status, o.stderr)
	}
	return o
}

func (i invocation) run(t *testing.T) outcome {
	t.Helper()
	cmd := i.command()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(i.stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("starting %q: %v", programs.ctrRootfs, err)
	}
	if strings.Contains(stderr.String(), "WARNING: DATA RACE") {
		t.Errorf("a data race:\n%s", stderr.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()}
}

func (i invocation) command() *exec.Cmd {
	cmd := exec.Command(programs.ctrRootfs, i.args...)
	if i.strace != nil {
		args := append([]string{"-D", "-f", "-qq"}, i.strace...)
		if !slices.Contains(args, "-o") {
			args = append(args, "-o", "/dev/null")
		}
		cmd = exec.Command("strace", append(append(args, programs.ctrRootfs), i.args...)...)
	}
	// Nothing of the host's is to lead a test to the host's own containerd.
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "CONTAINERD_") && !strings.HasPrefix(pair, "CTR_ROOTFS_") && !strings.HasPrefix(pair, "SOURCE_DATE_EPOCH=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	// A binary built with -race sleeps a second before it exits, else.
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	cmd.Env = append(cmd.Env, i.env...)
	return cmd
}

func needsStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("SKIPPED: strace is not installed: integration/install-deps")
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root: mounts an image (sudo make test)")
	}
}

// standard is the standard image around the hello program.
func standard(t *testing.T) imagetest.Image {
	t.Helper()
	data, err := os.ReadFile(programs.hello)
	if err != nil {
		t.Fatal(err)
	}
	return imagetest.Standard(data)
}

// writeArchive writes images as an OCI archive and gives its path.
func writeArchive(t *testing.T, name string, images ...imagetest.Image) string {
	t.Helper()
	content, err := imagetest.Build(name, images...)
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := content.WriteArchive(&data); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "image.tar", data.Bytes())
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readTar describes a tar that must be whole and well formed.
func readTar(t *testing.T, data []byte) listing.Listing {
	t.Helper()
	l, err := listing.OfTar(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := listing.CheckEnd(data); err != nil {
		t.Fatalf("the tar's end: %v", err)
	}
	return l
}

// mountedView describes an image as `ctr images mount` shows it.
func mountedView(t *testing.T, d *daemon.Daemon, name string) listing.Listing {
	t.Helper()
	target := filepath.Join(t.TempDir(), "view")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	d.Ctr(t, "images", "mount", name, target)
	l, err := listing.OfDir(target)
	d.Ctr(t, "images", "unmount", "--rm", target)
	// ctr unmounts, and leaves the daemon's own mount to the collector.
	d.Collect(t)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// command runs a reader or a runtime, and fails the test where it fails.
func command(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed: integration/install-deps", name)
	}
	cmd := exec.Command(path, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
