package snapshot

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestStateOf(t *testing.T) {
	now := time.Now()
	own := processLabels()
	if own[labelBootID] == "" || own[labelNamespace] == "" || own[labelStarted] == "" {
		t.Fatalf("processLabels = %v, want all of them", own)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	expired := now.Add(-time.Minute).Format(time.RFC3339)
	for _, c := range []struct {
		name   string
		change map[string]string
		want   state
	}{
		{"this process", nil, living},
		{"a pid that was used again", map[string]string{labelStarted: "1"}, dead},
		{"a process that ended", map[string]string{labelPID: strconv.Itoa(gone.Process.Pid)}, dead},
		{"an earlier boot", map[string]string{labelBootID: "00000000-0000-0000-0000-000000000000"}, dead},
		{"another pid namespace", map[string]string{labelNamespace: "pid:[1]"}, unknown},
		{"another pid namespace, expired", map[string]string{labelNamespace: "pid:[1]", expiryLabel: expired}, dead},
		{"another pid namespace, expired by our own label", map[string]string{labelNamespace: "pid:[1]", labelExpires: expired}, dead},
		{"no description", map[string]string{labelPID: "", labelBootID: "", labelNamespace: ""}, unknown},
		{"living, though expired", map[string]string{expiryLabel: expired}, living},
	} {
		labels := maps.Clone(own)
		maps.Copy(labels, c.change)
		if got := stateOf(labels, now); got != c.want {
			t.Errorf("%s: state %d, want %d", c.name, got, c.want)
		}
	}
}

// TestStateOfAZombie judges a process that has ended and that nobody has waited for.
func TestStateOfAZombie(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	started, err := startTime(child.Process.Pid)
	if err != nil {
		t.Error(err)
	}
	labels := processLabels()
	labels[labelPID], labels[labelStarted] = strconv.Itoa(child.Process.Pid), started
	if got := stateOf(labels, time.Now()); got != living {
		t.Errorf("while it lives: state %d, want %d", got, living)
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(time.Minute); stateOf(labels, time.Now()) != dead; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is taken for living after its end")
		}
	}
	_ = child.Wait() // it was killed
}

// TestStateOfWithoutDescriptors has a process judge itself that can open nothing
// any more.
func TestStateOfWithoutDescriptors(t *testing.T) {
	own := processLabels()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 0, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	got := stateOf(own, time.Now())
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if got != unknown {
		t.Errorf("this process, which can open nothing: state %d, want unknown (%d)", got, unknown)
	}
}

// TestHiddenProcess looks in a /proc that shows no process: one that lives is not
// taken for one that has ended.
func TestHiddenProcess(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for pid, ended := range map[int]bool{os.Getpid(): false, gone.Process.Pid: true} {
		if _, err := startTimeIn(t.TempDir(), pid); err == nil || errors.Is(err, fs.ErrNotExist) != ended {
			t.Errorf("process %d, which has ended: %v: error %v", pid, ended, err)
		}
	}
}
