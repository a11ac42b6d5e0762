package files

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPipeIsEnlarged(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	newInPlace(t.Context(), w, "a pipe", false)
	size, err := unix.FcntlInt(r.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	if size < pipeSize {
		t.Errorf("the pipe holds %d bytes, want %d", size, pipeSize)
	}
}
