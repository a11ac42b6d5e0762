package daemon

import (
	"path/filepath"
	"testing"
)

// Kill ends the daemon as a crash does. Restart must follow.
func (d *Daemon) Kill(t testing.TB) {
	t.Helper()
	if err := d.process.Kill(); err != nil {
		t.Fatalf("killing containerd: %v", err)
	}
	<-d.ended
}

// Restart starts a daemon that was killed on what it left, and waits until it
// answers.
func (d *Daemon) Restart(t testing.TB) {
	t.Helper()
	d.start(t, filepath.Join(d.Dir, "config.toml"), runtimePath(t, d.bin))
	d.waitUntilItAnswers(t)
}
