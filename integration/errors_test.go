package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// Exit statuses of the command line's contract.
const (
	statusFailed   = 1
	statusUsage    = 2
	statusNotFound = 3
)

// badInput is a command line that must fail in one line and leave nothing.
type badInput struct {
	name   string
	args   []string
	status int
	// wants are in the line: what was being done, to what, why, what to do.
	wants []string
}

// check runs it, and looks at the folder of its output.
func (b badInput) check(t *testing.T, folder string) {
	t.Helper()
	o := invocation{args: b.args}.run(t)
	if o.status != b.status {
		t.Errorf("exit status %d, want %d", o.status, b.status)
	}
	if len(o.stdout) != 0 {
		t.Errorf("%d bytes on stdout", len(o.stdout))
	}
	lines := errorLines(o.stderr)
	if len(lines) != 1 {
		t.Fatalf("%d lines on stderr, want 1:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, want := range b.wants {
		if !strings.Contains(lines[0], want) {
			t.Errorf("%q does not say %q", lines[0], want)
		}
	}
	if strings.HasPrefix(lines[0], "ctr-rootfs: failed") || strings.Contains(lines[0], "rpc error") {
		t.Errorf("%q shows the user an inner error", lines[0])
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("left in the output's folder: %v (%v)", entries, err)
	}
}

// errorLines are the lines of stderr but for what tells the course of things.
func errorLines(stderr string) []string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSuffix(line, "\n")
		said := strings.TrimPrefix(line, "ctr-rootfs: ")
		course := strings.HasPrefix(said, "unpacking ") && !strings.HasPrefix(said, "unpacking image ")
		course = course || strings.Contains(said, ": trying again in ")
		for _, start := range []string{"waiting up to ", "using the embedded store ", "using containerd at ", "pulling example.com/"} {
			course = course || strings.HasPrefix(said, start)
		}
		if !course {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestBadCommandLine needs no root: nothing is opened before the flags are
// read.
func TestBadCommandLine(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "out.tar")
	store := filepath.Join(t.TempDir(), "store")
	export := func(args ...string) []string {
		return append([]string{"export", "--store", store, "-o", out}, args...)
	}
	notJSON := writeFile(t, "config.json", []byte("{\n  \"process\": 1 }"))
	for _, b := range []badInput{
		{"no source", export(), statusUsage, []string{"SOURCE"}},
		{"two sources", export("a", "b"), statusUsage, []string{"SOURCE"}},
		{"unknown flag", export("--no-such-flag", "a"), statusUsage, []string{"--no-such-flag"}},
		{"unknown verb", []string{"exprot", "a"}, statusUsage, []string{`"exprot"`}},
		{"unknown profile", export("--profile", "mobby", "a"), statusUsage, []string{`"mobby"`, "moby or none"}},
		{"absolute prefix", export("--prefix", "/rootfs", "a"), statusUsage, []string{`"/rootfs"`, "absolute"}},
		{"prefix upwards", export("--prefix", "a/../..", "a"), statusUsage, []string{`"a/../.."`}},
		{"missing replacement", export("--replace", "etc/motd=/no/such/file", "a"), statusFailed, []string{`"/no/such/file"`, "no such file"}},
		{"replacement without file", export("--replace", "etc/motd", "a"), statusUsage, []string{`"etc/motd"`, "PATH=FILE"}},
		{"unknown pull", export("--pull", "perhaps", "a"), statusUsage, []string{`"perhaps"`, "missing, always or never"}},
		{"unknown platform", export("--platform", "a/b/c/d", "a"), statusUsage, []string{`"a/b/c/d"`}},
		{"unknown compressor", export("--compress", "lzma", "a"), statusUsage, []string{`"lzma"`}},
		{"unknown format", export("--format", "cpio", "a"), statusUsage, []string{`"cpio"`}},
		{"no such directory", []string{"export", "--store", store, "-o", folder + "/no/out.tar", "a"}, statusFailed, []string{folder + "/no", "directory"}},
		{"output is a directory", []string{"export", "--store", store, "-o", t.TempDir(), "a"}, statusFailed, []string{"is a directory"}},
		{"bad config", []string{"bundle", "--store", store, "-o", out, "--config", notJSON, "a"}, statusFailed, []string{notJSON, "line 2"}},
		{"missing archive", export("oci-archive:/no/such.tar"), statusNotFound, []string{`"/no/such.tar"`}},
		{"missing layout", export("oci:/no/such"), statusNotFound, []string{`"/no/such"`}},
		// A store may have an image of any name, but no registry has one of this.
		{"bad name", export("UPPER CASE"), statusNotFound, []string{`"UPPER CASE"`, "cannot be pulled"}},
		{"bad name to pull", export("--pull", "always", "UPPER CASE"), statusUsage, []string{`"UPPER CASE"`}},
	} {
		t.Run(b.name, func(t *testing.T) { b.check(t, folder) })
	}
}

// TestBadArchive gives archives that are none, or are damaged.
func TestBadArchive(t *testing.T) {
	needsRoot(t)
	whole, err := os.ReadFile(writeArchive(t, standardName, standard(t)))
	if err != nil {
		t.Fatal(err)
	}
	wrongBlob := bytes.Clone(whole)
	at := bytes.Index(wrongBlob, []byte("\x1f\x8b\x08"))
	wrongBlob[at+100] ^= 0xff
	of := func(data []byte) string { return "oci-archive:" + writeFile(t, "bad.tar", data) }
	foreign := imagetest.Image{Platform: ispec.Platform{OS: "linux", Architecture: "s390x"}}

	folder := t.TempDir()
	export := func(args ...string) []string {
		return append([]string{"export", "--store", filepath.Join(t.TempDir(), "store"), "-o", filepath.Join(folder, "out.tar")}, args...)
	}
	for _, b := range []badInput{
		{"text", export(of([]byte("this is no archive\n"))), statusFailed, []string{"bad.tar"}},
		{"empty", export(of(nil)), statusFailed, []string{"bad.tar"}},
		{"some tar", export(of(imagetest.Layer{imagetest.File("a", 0o644, "b")}.Tar())), statusFailed, []string{"bad.tar"}},
		{"cut off", export(of(whole[:len(whole)/2])), statusFailed, []string{"bad.tar"}},
		{"damaged layer", export(of(wrongBlob)), statusFailed, []string{"bad.tar"}},
		{"not a docker archive", export("docker-archive:" + writeFile(t, "bad.tar", []byte("text"))), statusFailed, []string{"bad.tar"}},
		{"name not in it", export("oci-archive:" + writeArchive(t, standardName, standard(t)) + ":example.com/other:2"), statusNotFound, []string{"example.com/other:2", standardName}},
		{"platform not in it", export("--platform", "linux/arm64", "oci-archive:"+writeArchive(t, "", foreign)), statusNotFound, []string{"linux/arm64", "linux/s390x", "--platform"}},
	} {
		t.Run(b.name, func(t *testing.T) { b.check(t, folder) })
	}
}

// TestRefusedImages exports what containerd does not unpack.
func TestRefusedImages(t *testing.T) {
	needsRoot(t)
	for _, refused := range imagetest.Refused() {
		t.Run(refused.Name, func(t *testing.T) {
			folder := t.TempDir()
			badInput{args: []string{
				"export", "--store", filepath.Join(t.TempDir(), "store"), "--via", "view", "-o", filepath.Join(folder, "out.tar"),
				"oci-archive:" + writeArchive(t, "", refused.Image),
			}, status: statusFailed, wants: []string{"image.tar", "use --via layers"}}.check(t, folder)
		})
	}
}

// TestBadStore asks for what a daemon does not have, or for a daemon that
// there is not.
func TestBadStore(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, standardName, standard(t))
	d.Ctr(t, "--namespace", "k8s.io", "images", "import", archive)
	foreign := imagetest.Image{Platform: ispec.Platform{OS: "linux", Architecture: "s390x"}, Layers: []imagetest.Layer{{imagetest.File("f", 0o644, "")}}}
	d.Ctr(t, "images", "import", "--no-unpack", "--all-platforms", writeArchive(t, "example.com/foreign:1", foreign))

	folder := t.TempDir()
	export := func(args ...string) []string {
		return append([]string{"export", "-o", filepath.Join(folder, "out.tar")}, args...)
	}
	before := d.Left(t, "default", "overlayfs")
	for _, b := range []badInput{
		{"missing socket", export("--address", "/no/such.sock", "a"), statusFailed, []string{"/no/such.sock", "--store"}},
		{"no containerd there", export("--address", listener(t), "a"), statusFailed, []string{"no answer"}},
		{"unknown image", export("--address", d.Address, "--pull", "never", "example.com/none:1"), statusNotFound, []string{"example.com/none:1", "not found"}},
		{"other namespace", export("--address", d.Address, "--pull", "never", standardName), statusNotFound, []string{standardName, "k8s.io", "--namespace k8s.io"}},
		{"platform", export("--address", d.Address, "--platform", "linux/arm64", "--pull", "never", "example.com/foreign:1"), statusNotFound, []string{"linux/arm64", "linux/s390x"}},
		{"snapshotter", export("--address", d.Address, "--namespace", "k8s.io", "--snapshotter", "none", standardName), statusFailed, []string{`"none"`, "overlayfs"}},
	} {
		t.Run(b.name, func(t *testing.T) { b.check(t, folder) })
	}
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
}

// TestSilentDaemon exports from a daemon that accepts and never answers.
func TestSilentDaemon(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	resume := d.Pause(t)
	folder := t.TempDir()
	start := time.Now()
	badInput{
		args:   []string{"export", "--address", d.Address, "-o", filepath.Join(folder, "out.tar"), "a"},
		status: statusFailed, wants: []string{d.Address, "no answer"},
	}.check(t, folder)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	resume()
}

// TestSocketOfRoot is an ordinary user's try at root's socket.
func TestSocketOfRoot(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	for _, open := range []string{d.Dir, filepath.Dir(programs.ctrRootfs)} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := invocation{args: []string{"export", "--address", d.Address, "a"}}.command()
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Dir = "/"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	lines := errorLines(stderr.String())
	if status := cmd.ProcessState.ExitCode(); status != statusFailed || len(lines) != 1 {
		t.Fatalf("exit status %d, stderr:\n%s", status, stderr.String())
	}
	for _, want := range []string{d.Address, "permission denied", "root"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("%q does not say %q", lines[0], want)
		}
	}
}
