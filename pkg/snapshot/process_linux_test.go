package snapshot

import (
	"maps"
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
