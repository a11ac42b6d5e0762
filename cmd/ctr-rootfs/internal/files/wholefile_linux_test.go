package files

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWithoutProc writes a file where no descriptor has a name in /proc, as in a
// chroot. Its thread has a mount namespace of its own, and ends with the test.
func TestWithoutProc(t *testing.T) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skip("SKIPPED: no mount namespace may be made here: run the tests as root: ", err)
	}
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""),
		unix.Mount("none", "/proc", "tmpfs", 0, ""),
	); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "a.tar")
	for _, finish := range []func(Output) error{Output.Finish, Output.Finish, Output.Discard} {
		o := open(t, name)
		put(t, o, "text")
		if err := finish(o); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(name); err != nil || string(text) != "text" || names(t, dir) != "[a.tar]" {
			t.Errorf("the file holds %q, %v, beside %s", text, err, names(t, dir))
		}
	}
}
