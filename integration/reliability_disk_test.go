package integration_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// smallDisk mounts a filesystem of some MiB, and takes it off with the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Fatalf("mounting a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %q: %v", dir, err)
		}
	})
	return dir
}

// TestFullDisk fills the disk that the output, the spool or the store is on.
func TestFullDisk(t *testing.T) {
	needsRoot(t)
	image := large()
	archive := "oci-archive:" + writeArchive(t, largeName, image)
	image.Compression = imagetest.Gzip
	gzipped := "oci-archive:" + writeArchive(t, largeName, image)
	store := filepath.Join(t.TempDir(), "store")
	for name, args := range map[string]func(disk string) []string{
		"file":             func(disk string) []string { return []string{"-o", disk + "/out.tar", archive} },
		"compressed":       func(disk string) []string { return []string{"-o", disk + "/out.tar.zst", archive} },
		"file over a file": func(disk string) []string { return []string{"-o", disk + "/older", archive} },
		"view to a file": func(disk string) []string {
			return []string{"--store", store, "--via", "view", "-o", disk + "/out.tar", archive}
		},
		"directory": func(disk string) []string { return []string{"--format", "dir", "-o", disk + "/rootfs", archive} },
		"spool":     func(disk string) []string { return []string{"--spool", disk, "-o", "/dev/null", gzipped} },
		"store": func(disk string) []string {
			return []string{"--store", disk + "/store", "--via", "view", "-o", "/dev/null", archive}
		},
		"device": func(string) []string { return []string{"-o", "/dev/full", archive} },
	} {
		t.Run(name, func(t *testing.T) {
			disk := smallDisk(t)
			older := filepath.Join(disk, "older")
			if err := os.WriteFile(older, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			o := invocation{args: append([]string{"export"}, args(disk)...)}.run(t)
			if o.status != statusFailed {
				t.Errorf("exit status %d, want %d", o.status, statusFailed)
			}
			checkError(t, o.stderr, "no space left on device")
			if name == "store" {
				ctrRootfs(t, "gc", "--store", disk+"/store")
			}
			if files := regularFiles(t, disk); len(files) != 1 || files[0] != "older" {
				t.Errorf("left: %q", files)
			}
			if data, err := os.ReadFile(older); err != nil || string(data) != "older" {
				t.Errorf("the older file holds %.10q (%v)", data, err)
			}
		})
	}
}

// TestReaderGoesAway closes the pipe that an export writes to.
func TestReaderGoesAway(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, largeName, large())
	d.Ctr(t, "images", "import", archive)
	before := d.Left(t, "default", "overlayfs")
	for name, args := range map[string][]string{
		"view":       {"--address", d.Address, largeName},
		"compressed": {"--address", d.Address, "--compress", "zstd", largeName},
		"layers":     {"oci-archive:" + archive},
	} {
		t.Run(name, func(t *testing.T) {
			s := stall(t, invocation{args: append([]string{"export"}, args...)})
			if err := s.stdout.Close(); err != nil {
				t.Fatal(err)
			}
			_ = s.cmd.Wait() // its status is asked for below
			if status := s.cmd.ProcessState.ExitCode(); status != statusFailed {
				t.Errorf("exit status %d (%v), want %d", status, s.cmd.ProcessState, statusFailed)
			}
			checkError(t, s.stderr.String(), "broken pipe")
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("left:\n%s", left)
			}
		})
	}
}

// stalling is how long a reader does not read, who does no harm by it.
const stalling = time.Minute

// TestReaderStalls has nobody read on: for a while, which does no harm, and
// for longer than --timeout.
func TestReaderStalls(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, largeName, large())
	d.Ctr(t, "images", "import", archive)
	before := d.Left(t, "default", "overlayfs")
	want := ctrRootfs(t, "export", "oci-archive:"+archive).stdout
	t.Run("reads on", func(t *testing.T) {
		t.Parallel()
		s := stall(t, invocation{args: []string{"export", "--address", d.Address, largeName}})
		time.Sleep(stalling)
		if output, status := s.rest(t); status != 0 || !bytes.Equal(output, want) {
			t.Errorf("exit status %d, %d bytes, want %d\n%s", status, len(output), len(want), s.stderr)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		for name, args := range map[string][]string{"view": {"--address", d.Address, largeName}, "layers": {"oci-archive:" + archive}} {
			start := time.Now()
			s := stall(t, invocation{args: append([]string{"export", "--timeout", "3s"}, args...)})
			_, err := s.cmd.Process.Wait()
			if took := time.Since(start); err != nil || took > 15*time.Second {
				t.Errorf("%s: it ended after %s (%v)", name, took, err)
			}
			output, err := io.ReadAll(s.stdout)
			if err != nil {
				t.Fatal(err)
			}
			_ = s.cmd.Wait() // who copies stderr is through; the process was waited for
			checkError(t, s.stderr.String(), "--timeout")
			if len(output)+len(s.head) >= len(want) {
				t.Errorf("%s: %d bytes were written to nobody", name, len(output))
			}
		}
	})
	t.Cleanup(func() {
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("left:\n%s", left)
		}
	})
}

// fullPipe gives the end to write to of a pipe that has no room. It is larger
// than the tool makes one.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestReaderOfTextStalls has verbs that print write to a full pipe, until
// --timeout or a signal ends them.
func TestReaderOfTextStalls(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, smallName, small())
	d.Ctr(t, "images", "import", archive)
	before := d.Left(t, "default", "overlayfs")
	t.Cleanup(func() {
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("left:\n%s", left)
		}
	})
	for name, args := range map[string][]string{
		"ls":     {"--address", d.Address, "ls", smallName},
		"layers": {"ls", "oci-archive:" + archive},
		"spec":   {"--address", d.Address, "spec", smallName, "--", "/bin/sh"},
		"images": {"--address", d.Address, "images"},
		"key":    {"--address", d.Address, "export", "--print-key", smallName},
	} {
		for timeout, want := range map[string]int{"3s": statusFailed, "0s": 128 + int(syscall.SIGTERM)} {
			t.Run(name+" "+timeout, func(t *testing.T) {
				t.Parallel()
				var stderr bytes.Buffer
				cmd := invocation{args: append([]string{"--timeout", timeout}, args...)}.command()
				cmd.Stdout, cmd.Stderr = fullPipe(t), &stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
				defer kill.Stop()
				if timeout == "0s" {
					time.Sleep(3 * time.Second)
					if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
						t.Errorf("it did not wait for its reader: %v", err)
					}
				}
				_ = cmd.Wait() // its status is asked for below
				if status := cmd.ProcessState.ExitCode(); status != want {
					t.Errorf("exit status %d, want %d\n%s", status, want, &stderr)
				} else if want == statusFailed {
					checkError(t, stderr.String(), "--timeout")
				}
			})
		}
	}
}

// TestTimeout gives runs up at random moments: nothing is left.
func TestTimeout(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, smallName, small())
	d.Ctr(t, "images", "import", "--no-unpack", archive)
	before := d.Left(t, "default", "overlayfs")
	store := filepath.Join(t.TempDir(), "store")
	random := seeded(t)
	gaveUp := 0
	out := outputDir{t.TempDir(), ctrRootfs(t, "export", "oci-archive:"+archive).stdout}
	for range rounds(t, 20) {
		timeout := time.Duration(random.Int64N(int64(100 * time.Millisecond)))
		for _, args := range [][]string{{"--address", d.Address, smallName}, {"--store", store, "--via", "view", "oci-archive:" + archive}} {
			o := invocation{args: append([]string{"export", "--timeout", timeout.String(), "-o", out.file()}, args...)}.run(t)
			if o.status == statusFailed {
				gaveUp++
				checkError(t, o.stderr, "--timeout")
			} else if o.status != 0 {
				t.Errorf("--timeout %s: exit status %d\n%s", timeout, o.status, o.stderr)
			}
			out.check(t, o.status == 0, o.status == 0)
		}
		if left := d.Left(t, "default", "overlayfs").Since(before); strings.Contains(left, "ctr-rootfs-") || strings.Contains(left, "extract-") {
			t.Errorf("--timeout %s left:\n%s", timeout, left)
		}
	}
	if gaveUp == 0 {
		t.Error("no run was given up, so this test saw nothing")
	}
	checkSaid(t, ctrRootfs(t, "gc", "--store", store), "removed what 0 crashed runs left")
}

// TestFewDescriptors exports a deep tree of many layers with 64 descriptors.
func TestFewDescriptors(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	image := imagetest.ManyLayers(100)
	image.Layers[0] = append(image.Layers[0], deepDirs(200)...)
	archive := writeArchive(t, smallName, image)
	r := startRegistry(t, registryOptions{})
	r.push(t, "small:1", image)
	d.Ctr(t, "images", "import", archive)
	want := ctrRootfs(t, "export", "--reproducible", "--profile", "none", "oci-archive:"+archive).stdout
	for name, args := range map[string][]string{
		"view":   {"--address", d.Address, smallName},
		"layers": {"oci-archive:" + archive},
		"unpack": {"--store", filepath.Join(t.TempDir(), "store"), "--via", "view", "oci-archive:" + archive},
		"pull":   {"--store", filepath.Join(t.TempDir(), "store"), "--hosts-dir", servedBy(t, "http://"+r.host), smallName},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := append([]string{"--nofile=64", programs.ctrRootfs, "export", "--reproducible", "--profile", "none"}, args...)
			if got := command(t, nil, "prlimit", cmd...); got != string(want) {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// deepDirs are n directories, each in the one before.
func deepDirs(n int) imagetest.Layer {
	var layer imagetest.Layer
	path := "deep"
	for range n {
		layer = append(layer, imagetest.Dir(path, 0o755))
		path += "/d"
	}
	return append(layer, imagetest.File(path, 0o644, "at the bottom"))
}
