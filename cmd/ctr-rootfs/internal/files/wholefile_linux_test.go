package files

import (
	"errors"
	"io/fs"
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

// TestDiscardTwice: Finish of a file that was given up may discard it, too, once it does
// not hang any more. What cannot be removed is an error all the same.
func TestDiscardTwice(t *testing.T) {
	dir := t.TempDir()
	temporary := filepath.Join(dir, "temporary")
	f, err := os.Create(temporary)
	if err != nil {
		t.Fatal(err)
	}
	w := newWhole(t.Context(), f, filepath.Join(dir, "a.tar"), temporary)
	if err := os.Remove(temporary); err != nil {
		t.Fatal(err)
	}
	if err := w.Discard(); err != nil {
		t.Errorf("discarding what Finish has removed: %v", err)
	}
	if err := w.Finish(); err == nil || errors.Is(err, fs.ErrNotExist) || names(t, dir) != "[]" {
		t.Errorf("finishing it later: %v, the directory holds %s", err, names(t, dir))
	}
	if err := os.MkdirAll(filepath.Join(temporary, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := w.discard(); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("what cannot be removed: %v", err)
	}
}
