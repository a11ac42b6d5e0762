package export_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// TestUnsearchableDirectory has a directory whose names may be read, and nothing
// more (path_resolution(7)): cmd knows from the ReadError what to do.
func TestUnsearchableDirectory(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	must(t, os.Mkdir(closed, 0o755))
	must(t, os.WriteFile(filepath.Join(closed, "file"), nil, 0o644))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(closed, 0o444))
	t.Cleanup(func() { must(t, os.Chmod(closed, 0o755)) })
	tree := dirTree(t, dir)
	for how, call := range map[string]func() error{
		"Walk":   func() error { return tree.Walk(t.Context(), func(*export.Entry) error { return nil }) },
		"Lookup": func() error { _, err := tree.Lookup(t.Context(), "closed/file"); return err },
	} {
		err := asOrdinaryUser(t, call)
		var read *export.ReadError
		if !errors.As(err, &read) || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s gives %v (%T), want a ReadError", how, err, err)
		}
	}
}

// asOrdinaryUser runs fn with no right to the files of others. It ends its
// thread, which alone has another user (setfsuid(2)).
func asOrdinaryUser(t *testing.T, fn func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return fn()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		_, err := unix.SetfsuidRetUid(65534)
		if err == nil {
			err = fn()
		}
		done <- err
	}()
	return <-done
}
