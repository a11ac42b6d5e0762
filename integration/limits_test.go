package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// limitRoom is what a run may take beside 400 bytes for each entry.
const limitRoom = 64 << 20

// TestHostileLayers refuses layers that are made to fill the memory or the
// disk, by their default limits or those that are asked for.
func TestHostileLayers(t *testing.T) {
	names := hostileLayout(t, func(w io.Writer) error { return imagetest.WriteNames(w, 5_000_000) })
	endless := hostileLayout(t, imagetest.WriteEndless)
	program := plainProgram(t)
	for name, c := range map[string]struct {
		layout  string
		args    []string
		entries int64 // that may be in memory
		want    []string
	}{
		"five million names":            {names, []string{"--max-entries", "200000"}, 200_000, []string{"over the limit of 200000 entries", "--max-entries"}},
		"five million names by default": {names, nil, 4_000_000, []string{"over the limit of 4000000 entries", "--max-entries"}},
		"no end":                        {endless, []string{"--max-bytes", "100m"}, 0, []string{"over the limit of 104857600 inflated bytes", "--max-bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o, memory := measured(t, program, append([]string{"export", "--progress", "quiet", "-o", filepath.Join(dir, "out.tar"), "--spool", dir, "oci:" + c.layout}, c.args...)...)
			if o.status != statusFailed {
				t.Fatalf("exit status %d\n%s", o.status, o.stderr)
			}
			checkError(t, o.stderr, append(c.want, "reading layer 1 of 1")...)
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
			limit := limitRoom + 400*c.entries
			if memory > limit {
				t.Errorf("it took %d MiB of memory, over %d", memory>>20, limit>>20)
			}
			t.Logf("%d MiB of memory of %d", memory>>20, limit>>20)
		})
	}
}

// TestMillionEntries exports an image of 1,000,000 names within the memory that
// is promised.
func TestMillionEntries(t *testing.T) {
	const entries = 1_000_000
	layout := hostileLayout(t, func(w io.Writer) error { return imagetest.WriteNames(w, entries) })
	file := filepath.Join(t.TempDir(), "metadata.json")
	o, memory := measured(t, plainProgram(t), "export", "--progress", "quiet", "--profile", "none", "-o", "/dev/null", "--metadata-file", file, "oci:"+layout)
	if o.status != 0 {
		t.Fatalf("exit status %d\n%s", o.status, o.stderr)
	}
	if got := readCounts(t, file).Entries.RegularFiles; got != entries {
		t.Errorf("%d files were exported", got)
	}
	if limit := int64(limitRoom + 400*entries); memory > limit {
		t.Errorf("it took %d MiB of memory, over %d", memory>>20, limit>>20)
	}
	t.Logf("%d MiB of memory", memory>>20)
}

// TestFullSpool has 1 MiB for what inflates to more.
func TestFullSpool(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	command(t, nil, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir)
	t.Cleanup(func() { command(t, nil, "umount", dir) })
	output := filepath.Join(t.TempDir(), "out.tar")
	layout := hostileLayout(t, imagetest.WriteEndless)
	o := invocation{args: []string{"export", "-o", output, "--spool", dir, "oci:" + layout}}.run(t)
	if o.status != statusFailed {
		t.Fatalf("exit status %d\n%s", o.status, o.stderr)
	}
	checkError(t, o.stderr, `using a spool file in "`+dir+`": no space left on device`, "--spool DIR")
	for _, dir := range []string{dir, filepath.Dir(output)} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("it left %v, %v", left, err)
		}
	}
}

// TestLimitFlags refuses what is no limit.
func TestLimitFlags(t *testing.T) {
	for _, args := range [][]string{{"--max-entries", "0"}, {"--max-entries", "many"}, {"--max-bytes", "-1"}, {"--max-bytes", "1x"}} {
		if o := (invocation{args: append([]string{"export", "oci:none"}, args...)}).run(t); o.status != statusUsage {
			t.Errorf("%q: exit status %d\n%s", args, o.status, o.stderr)
		}
	}
}

// hostileLayout writes a layout of one image with one layer.
func hostileLayout(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	blob, err := imagetest.WriteBlob(write)
	if err != nil {
		t.Fatal(err)
	}
	content, err := imagetest.Build("", imagetest.Image{Blobs: []imagetest.Blob{blob}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := content.WriteLayout(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// plainProgram builds the binary without the race detector, which takes the
// memory of ten.
func plainProgram(t *testing.T) string {
	t.Helper()
	if program := os.Getenv("CTR_ROOTFS_BIN"); program != "" {
		return program
	}
	root, err := tools.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "ctr-rootfs")
	if err := build(filepath.Dir(root), program, "./cmd/ctr-rootfs", "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	return program
}

// measured runs the program and gives the most memory that it took.
func measured(t *testing.T, program string, args ...string) (outcome, int64) {
	t.Helper()
	cmd := invocation{args: args}.command()
	cmd.Path = program
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Errorf("starting %q: %v", program, err)
		return outcome{status: -1}, 0
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the exit status is in ProcessState
		close(ended)
	}()
	// getrusage(2) would give the most of this process, which it was forked from.
	for most := int64(0); ; {
		select {
		case <-ended: //nolint:errcheck // it was killed
			return outcome{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()}, most
		case <-time.After(10 * time.Millisecond):
			most = max(most, residentMost(cmd.Process.Pid))
		}
	}
}

// residentMost is proc(5)'s VmHWM in bytes, 0 where the process has ended.
func residentMost(pid int) (most int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	if _, after, found := strings.Cut(string(status), "VmHWM:"); found {
		fmt.Sscanf(after, "%d kB", &most) //nolint:errcheck // 0 then
	}
	return most << 10
}
