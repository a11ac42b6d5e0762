package layers

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullSpool has a spool folder of 64 KiB: a tmpfs in no mount namespace.
func TestFullSpool(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: making a small tmpfs needs root")
	}
	dir := smallTmpfs(t)
	var s store
	content := layer{file("f", strings.Repeat("x", 1<<20))}.tar()
	_, err := Open(t.Context(), []Layer{s.layer(content, gzipped(content))}, Options{SpoolDir: dir})
	want := fmt.Sprintf("using a spool file in %q: no space left on device", dir)
	var spool *SpoolError
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &spool) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got error %v,\nwant ...%s", err, want)
	}
	if s.open != 0 {
		t.Errorf("%d blobs are open", s.open)
	}
}

func smallTmpfs(t *testing.T) string {
	t.Helper()
	tmpfs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err == nil {
		defer unix.Close(tmpfs)
		err = unix.FsconfigSetString(tmpfs, "size", "64k")
	}
	if err == nil {
		err = unix.FsconfigCreate(tmpfs)
	}
	if err != nil {
		t.Fatalf("making a tmpfs: %v", err)
	}
	root, err := unix.Fsmount(tmpfs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Close(root) })
	return fmt.Sprintf("/proc/self/fd/%d/.", root)
}
