package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// processLabels describes this process so that another one can tell whether
// it still lives: pids come round again, start times within one boot and pid
// namespace do not. What /proc does not show is left out.
func processLabels() map[string]string {
	labels := map[string]string{labelPID: strconv.Itoa(os.Getpid())}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		labels[labelBootID] = strings.TrimSpace(string(boot))
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		labels[labelNamespace] = ns
	}
	if start, err := startTime(os.Getpid()); err == nil {
		labels[labelStarted] = start
	}
	return labels
}

// startTime gives when a process started, in clock ticks since boot: field 22
// of /proc/PID/stat (proc_pid_stat(5)). One that has ended, but that its parent
// has not asked for yet, is not there.
func startTime(pid int) (string, error) {
	return startTimeIn("/proc", pid)
}

// startTimeIn has proc for a parameter because of the tests. One that hides the
// processes of others says of them that they are not there (proc(5), hidepid).
func startTimeIn(proc string, pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", proc, pid))
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return "", fmt.Errorf("reading /proc/%d/stat: this user is not shown it", pid)
	}
	if err != nil {
		return "", err
	}
	// The second field is the command in parentheses and may hold anything.
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("parsing /proc/%d/stat: %d fields", pid, len(fields))
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", fmt.Errorf("process %d has ended: %w", pid, fs.ErrNotExist)
	}
	return fields[19], nil
}
