package integration_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// listener is a socket on which somebody answers who is no containerd.
func listener(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("closing the socket: %v", err)
		}
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			_, _ = conn.Write([]byte("hello\r\n")) // it may not listen any more
			_ = conn.Close()
		}
	}()
	return path
}

// TestWrittenInPlace writes to a device and to a FIFO, which stay what they are.
func TestWrittenInPlace(t *testing.T) {
	needsRoot(t)
	source := "oci-archive:" + writeArchive(t, "", imagetest.UsrEtc())
	store := filepath.Join(t.TempDir(), "store")
	ctrRootfs(t, "export", "--store", store, "-o", "/dev/null", source)
	if info, err := os.Lstat("/dev/null"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("/dev/null is now %v (%v)", info.Mode(), err)
	}

	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	go func() {
		data, err := os.ReadFile(fifo)
		if err != nil {
			t.Errorf("reading the FIFO: %v", err)
		}
		read <- data
	}()
	ctrRootfs(t, "export", "--store", store, "-o", fifo, source)
	if l := readTar(t, <-read); len(l) == 0 {
		t.Error("nothing came through the FIFO")
	}
	if info, err := os.Lstat(fifo); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the FIFO is now %v (%v)", info.Mode(), err)
	}
}

// TestTerminal refuses to write a tar to a terminal.
func TestTerminal(t *testing.T) {
	command(t, nil, "script", "--version")
	line := programs.ctrRootfs + " export --store " + filepath.Join(t.TempDir(), "store") + " example.com/none:1; echo status=$?"
	got := command(t, nil, "script", "-q", "-c", line, "/dev/null")
	if !strings.Contains(got, "terminal") || !strings.Contains(got, "status=2") {
		t.Errorf("on a terminal it printed %q", got)
	}
}
