package archive

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

func TestFIFOWithoutWriterCanBeInterrupted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := plainFile(ctx, name, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("plainFile = %v", err)
	}
	// The open that waits is let go on; what it opens is closed again.
	var w *os.File
	for w == nil {
		var err error
		if w, err = os.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil && !errors.Is(err, unix.ENXIO) {
			t.Fatal(err)
		}
	}
	defer w.Close()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := w.WriteString("x"); errors.Is(err, unix.EPIPE) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the file that was opened too late is open still")
		}
	}
}

// TestLayoutIsInterrupted meets a FIFO that nobody writes to.
func TestLayoutIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hostfile.Open(ctx, filepath.Join(dir, "fifo"), os.O_RDONLY); !errors.Is(err, context.Canceled) {
		t.Errorf("a FIFO: %v", err)
	}
	// A writer lets go on the open that waits.
	if w, err := os.OpenFile(filepath.Join(dir, "fifo"), os.O_WRONLY, 0); err != nil {
		t.Error(err)
	} else if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Layout(dir).open(t.Context(), "fifo"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a FIFO in a layout: %v", err)
	}
}

// TestArchiveIsLimited spools an archive that inflates without end.
func TestArchiveIsLimited(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := encoder.EncodeAll(make([]byte, 1<<20), nil)
	for limit, fits := range map[int64]bool{0: true, 1 << 20: true, 1<<20 - 1: false} {
		f, err := plainFile(t.Context(), "-", Options{Stdin: bytes.NewReader(bomb), SpoolDir: t.TempDir(), MaxBytes: limit})
		if fits != (err == nil) || !fits && !errors.Is(err, inflate.ErrLimit) {
			t.Errorf("MaxBytes %d: %v", limit, err)
		}
		if err != nil {
			continue
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSpoolNamesItsFolder(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	var spool *SpoolError
	if _, err := spooled(os.Stdin, gone); !errors.As(err, &spool) || spool.Dir != gone {
		t.Errorf("spooled = %v", err)
	}
}
