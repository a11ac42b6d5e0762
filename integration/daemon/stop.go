package daemon

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop ends the daemon and whatever shims it leaves, each by its id.
func (d *Daemon) stop(t testing.TB) {
	t.Helper()
	if err := d.process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("ending containerd: %v", err)
	}
	select {
	case <-d.ended:
	case <-time.After(stopDeadline):
		t.Errorf("containerd did not end within %v:\n%s", stopDeadline, d.Log())
		if err := d.process.Kill(); err != nil {
			t.Errorf("killing containerd: %v", err)
		}
		<-d.ended
	}
	for _, pid := range d.shims() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Errorf("killing shim %d: %v", pid, err)
		}
	}
}

// shims are the processes that were started with the daemon's address.
func (d *Daemon) shims() []int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	var pids []int
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // the process has ended
		}
		args := bytes.Split(line, []byte{0})
		if !bytes.Contains(args[0], []byte("containerd-shim")) || !bytes.Contains(line, []byte("\x00"+d.Address+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// removeAll removes a daemon's folder. A mount that is left in it fails the
// test and is taken off first: removing through it would remove what is
// mounted there.
func removeAll(t testing.TB, dir string) {
	t.Helper()
	mounts, err := MountsBelow("self", dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		t.Errorf("a mount is left: %q", mounts[i])
		if err := syscall.Unmount(mounts[i], syscall.MNT_DETACH); err != nil {
			t.Fatalf("unmounting %q: %v", mounts[i], err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Errorf("removing the daemon's folder: %v", err)
	}
}

// MountsBelow gives the mount points at or below dir that the process pid (or
// "self") sees, in the order in which they were mounted.
func MountsBelow(pid, dir string) ([]string, error) {
	all, err := Mounts(pid)
	if err != nil {
		return nil, err
	}
	var below []string
	for _, point := range all {
		if point == dir || strings.HasPrefix(point, dir+"/") {
			below = append(below, point)
		}
	}
	return below, nil
}

// Mounts gives every mount point that the process pid (or "self") sees; see
// proc(5), /proc/pid/mountinfo, field 5.
func Mounts(pid string) ([]string, error) {
	data, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts of process %s: %w", pid, err)
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		const mountPoint = 4
		if len(fields) <= mountPoint {
			return nil, fmt.Errorf("reading the mounts of process %s: line %q is cut", pid, line)
		}
		points = append(points, unescape.Replace(fields[mountPoint]))
	}
	return points, nil
}
