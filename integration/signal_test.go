package integration_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

const largeName = "example.com/large:1"

// large is an image whose export takes a while: 64 MiB that do not compress.
func large() imagetest.Image {
	body := make([]byte, 64<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(body) // never fails
	e := imagetest.File("large", 0o644, "")
	e.Body = body
	return imagetest.Image{
		Compression: imagetest.Plain,
		Layers:      []imagetest.Layer{{imagetest.File("first", 0o644, "")}, {e}},
	}
}

// stalled is a run of the binary whose output nobody reads on.
type stalled struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	// head is what was read of its output.
	head   []byte
	stderr *bytes.Buffer
}

// stall starts an export and reads 1 MiB of it: far from its end, since pipes
// and buffers hold a few MiB.
func stall(t *testing.T, i invocation) *stalled {
	t.Helper()
	s := &stalled{cmd: i.command(), stderr: &bytes.Buffer{}}
	s.cmd.Stderr = s.stderr
	var err error
	if s.stdout, err = s.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill() // it may have ended by itself
			_ = s.cmd.Wait()
		}
	})
	s.head = make([]byte, 1<<20)
	if _, err := io.ReadFull(s.stdout, s.head); err != nil {
		t.Fatalf("reading the start of the export: %v\n%s", err, s.stderr)
	}
	return s
}

// end sends a signal, reads the rest of the output and gives all of it.
func (s *stalled) end(t *testing.T, sig syscall.Signal) (output []byte, status int) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(s.stdout)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // its status is asked for below
	return append(s.head, rest...), s.cmd.ProcessState.ExitCode()
}

// TestSignalsTogether sends a signal twice, as timeout(1) does: the second one is
// the first once more, and does not keep the export from undoing what it made.
func TestSignalsTogether(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // it cannot end: nobody reads
		if _, status := s.end(t, sig); status != want {
			t.Errorf("%s: exit status %d, want %d\n%s", sig, status, want, s.stderr)
		}
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("%s: it left:\n%s", sig, left)
		}
	}
}

// TestSignalWhileStreaming interrupts an export to a pipe half way: the exit
// status of the signal, nothing left in the daemon, and a tar that no reader
// takes for a whole one.
func TestSignalWhileStreaming(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
			if during := d.Left(t, "default", "overlayfs").Since(before); !strings.Contains(during, "lease ") || !strings.Contains(during, "snapshot ") {
				t.Errorf("a running export shows no lease and view, so this test sees nothing: %q", during)
			}
			output, status := s.end(t, sig)
			if status != want {
				t.Errorf("exit status %d, want %d\n%s", status, want, s.stderr)
			}
			if lines := errorLines(s.stderr.String()); len(lines) != 1 {
				t.Errorf("%d lines on stderr, want 1: %q", len(lines), lines)
			}
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("it left:\n%s", left)
			}
			refuseTar(t, output)
		})
	}
}

// refuseTar holds that every reader fails on what was written.
func refuseTar(t *testing.T, data []byte) {
	t.Helper()
	for name, args := range map[string][]string{
		"tar": {"-t"}, "bsdtar": {"-t", "-f", "-"}, "busybox": {"tar", "-t"},
	} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Logf("%s is left out, it is not installed: integration/install-deps", name)
			continue
		}
		cmd := exec.Command(path, args...)
		cmd.Stdin = bytes.NewReader(data)
		if cmd.Run() == nil {
			t.Errorf("%s takes %d bytes of a failed export for a whole archive", name, len(data))
		}
	}
}

// TestSignalWhileWritingAFile interrupts an export to a file: no file, and no
// temporary one beside it; what stood there before is untouched.
func TestSignalWhileWritingAFile(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, largeName, large()))
	before := d.Left(t, "default", "overlayfs")
	for name, test := range map[string]struct {
		signal syscall.Signal
		older  string
		status int
	}{
		"interrupted":               {syscall.SIGINT, "", 130},
		"terminated over a file":    {syscall.SIGTERM, "older", 143},
		"killed, -1 is Go's status": {syscall.SIGKILL, "older", -1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			// gzip of random bytes takes seconds: the signal comes in time.
			output := filepath.Join(dir, "out.tar.gz")
			if test.older != "" {
				if err := os.WriteFile(output, []byte(test.older), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := invocation{args: []string{"export", "--address", d.Address, "--compress", "gzip:9", "-o", output, largeName}}.command()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitForLease(t, d, before)
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatalf("the export ended before the signal: %v", err)
			}
			_ = cmd.Wait() // its status is asked for below
			if got := cmd.ProcessState.ExitCode(); got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			checkFolder(t, dir, test.older)
			if test.signal == syscall.SIGKILL {
				// The lease and the view stay for gc; a mount never does.
				if mounts := d.Left(t, "default", "overlayfs").Mounts; !slices.Equal(mounts, before.Mounts) {
					t.Errorf("it left the mounts %q", mounts)
				}
				ctrRootfs(t, "gc", "--address", d.Address)
			}
			if diff := d.Left(t, "default", "overlayfs").Since(before); diff != "" {
				t.Errorf("it left:\n%s", diff)
			}
		})
	}
}

func waitForLease(t *testing.T, d *daemon.Daemon, before daemon.Left) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if strings.Contains(d.Left(t, "default", "overlayfs").Since(before), "lease ") {
			return
		}
	}
	t.Fatal("no lease was seen")
}

// checkFolder holds that dir has nothing but the file of before, or nothing.
func checkFolder(t *testing.T, dir, older string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if older == "" && len(entries) != 0 || len(entries) > 1 {
		t.Errorf("left in the folder: %v", entries)
	}
	if older == "" {
		return
	}
	if data, err := os.ReadFile(filepath.Join(dir, entries[0].Name())); err != nil || string(data) != older {
		t.Errorf("the older file holds %.20q (%v), want %q", data, err, older)
	}
}

// TestNoMountIsSeen looks, while an export stands still, for a mount of its in
// its own mountinfo and in the host's.
func TestNoMountIsSeen(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, largeName, large())
	d.Ctr(t, "images", "import", archive)
	store, committed := filepath.Join(t.TempDir(), "store"), committedOf(t, d, largeName)
	for name, i := range map[string]invocation{
		"daemon":   {args: []string{"export", "--address", d.Address, largeName}},
		"embedded": {args: []string{"export", "--store", store, "--via", "view", "oci-archive:" + archive}},
		"mounted":  {args: []string{"export", "--address", d.Address, committed}},
		"fallback": {args: []string{"export", "--address", d.Address, committed}, strace: oldKernel},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			i.env = append(i.env, "TMPDIR="+temp)
			ours := []string{"/sys", temp, store, d.Dir}
			before := mounts(t, "self", ours)
			s := stall(t, i)
			if own := mounts(t, strconv.Itoa(s.cmd.Process.Pid), ours); !slices.Equal(own, before) {
				t.Errorf("the tool sees the mounts %q, the test %q", own, before)
			}
			if now := mounts(t, "self", ours); !slices.Equal(now, before) {
				t.Errorf("the host has the mounts %q, before %q", now, before)
			}
			if _, status := s.end(t, syscall.SIGTERM); status != 143 {
				t.Errorf("exit status %d, want 143", status)
			}
		})
	}
}

// TestUnpackingMountsNothing watches the host's mounts while an image is
// unpacked into a fresh embedded store: containerd's differ mounts a first
// layer in a temporary folder, which a killed run would leave behind.
func TestUnpackingMountsNothing(t *testing.T) {
	needsRoot(t)
	temp := t.TempDir()
	ours := []string{"/sys", temp}
	before := mounts(t, "self", ours)
	cmd := invocation{
		args: []string{"export", "--store", filepath.Join(temp, "store"), "--via", "view", "-o", "/dev/null", "oci-archive:" + writeArchive(t, "", imagetest.Torture())},
		env:  []string{"TMPDIR=" + temp},
	}.command()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	seen := map[string]bool{}
	for looks := 0; ; looks++ {
		for _, point := range mounts(t, "self", ours) {
			if !slices.Contains(before, point) {
				seen[point] = true
			}
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("exporting: %v", err)
			}
			if len(seen) != 0 || looks < 10 {
				t.Errorf("in %d looks the host had the mounts %v", looks, seen)
			}
			return
		default:
		}
	}
}

// mounts lists the mount points at or below one of dirs: what else mounts on
// this host meanwhile is none of a test's business.
func mounts(t *testing.T, pid string, dirs []string) []string {
	t.Helper()
	all, err := daemon.Mounts(pid)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(point string) bool {
		return !slices.ContainsFunc(dirs, func(dir string) bool {
			return point == dir || strings.HasPrefix(point, dir+"/")
		})
	})
}
