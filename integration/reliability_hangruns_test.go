package integration_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// hangEnd is how a run ended.
type hangEnd struct {
	*exec.Cmd
	// dir is where its output was to be.
	dir            string
	stdout, stderr bytes.Buffer
	// killed says that it did not end by itself, and early that it ended before it hung.
	killed, early bool
}

// runAll runs all rows at once: they wait most of the time, and a test runs no more
// than one at a time for each core.
func (w *hangWorld) runAll(t *testing.T, rows map[string]hanging) map[string]*hangEnd {
	t.Helper()
	ends := make(map[string]*hangEnd)
	var wg sync.WaitGroup
	for name, h := range rows {
		e := &hangEnd{Cmd: invocation{}.command(), dir: t.TempDir()}
		ends[name] = e
		wg.Go(func() { w.run(h, e) })
	}
	wg.Wait()
	return ends
}

// run runs h to its end.
func (w *hangWorld) run(h hanging, e *hangEnd) {
	flags := []string{"--progress", "quiet"}
	switch h.out {
	case "":
	case "dir":
		flags = append(flags, "--format", "dir", "-o", filepath.Join(e.dir, "out"))
	default:
		flags = append(flags, "-o", filepath.Join(e.dir, h.out))
	}
	if h.by == 0 {
		flags = append(flags, "--timeout", hangTimeout)
	}
	e.Cmd = invocation{args: slices.Insert(slices.Clone(h.args), 1, flags...)}.command()
	e.Stdout, e.Stderr = &e.stdout, &e.stderr
	if e.Start() != nil {
		return // it has no state
	}
	ended := make(chan struct{})
	go func() {
		_ = e.Wait() // its status is what is asked for
		close(ended)
	}()
	kill, look := time.After(hangWithin), time.NewTicker(20*time.Millisecond)
	defer look.Stop()
	for signalled := h.by == 0; ; {
		select {
		case <-ended:
			e.early = !signalled
			return
		case <-kill:
			e.killed = true
			_ = e.Process.Kill() // it may have ended
			w.files.Answer()     // it may not end before
		case <-look.C:
			if !signalled && (w.files.Hangs(e.Process.Pid) || w.files.OthersHang.Load()) {
				_ = e.Process.Signal(h.by) // or it has ended by itself
				signalled = true
			}
		}
	}
}
