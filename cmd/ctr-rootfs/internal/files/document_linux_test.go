package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func fifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestDocumentCanBeGivenUp: nobody writes to the FIFO, or who writes stalls.
func TestDocumentCanBeGivenUp(t *testing.T) {
	for name, writes := range map[string]bool{"no writer": false, "a writer that stalls": true} {
		place := fifo(t)
		if writes {
			w, err := os.OpenFile(place, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if data, err := Document(ctx, place); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: Document = %q, %v", name, data, err)
		}
		if writes {
			continue
		}
		// A writer lets go on the open that waits.
		if w, err := os.OpenFile(place, os.O_WRONLY, 0); err != nil {
			t.Error(err)
		} else if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
