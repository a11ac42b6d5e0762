package snapshot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestFIFOWithoutWriterCanBeInterrupted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	req := Request{Source: Source{Kind: OCIArchive, Name: name}}
	if _, err := plainFile(ctx, req, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("plainFile = %v", err)
	}
	// Lets the reader that waits go on, and end.
	if f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
		f.Close()
	}
}

func TestSpoolNamesItsFolder(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	var spool *SpoolError
	if _, err := spooled(os.Stdin, gone); !errors.As(err, &spool) || spool.Dir != gone {
		t.Errorf("spooled = %v", err)
	}
}
