package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
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

// TestDocumentFromLateWriter reads patterns from a FIFO whose writer comes when
// the reading has begun.
func TestDocumentFromLateWriter(t *testing.T) {
	name := fifo(t)
	go func() {
		time.Sleep(50 * time.Millisecond)
		if err := os.WriteFile(name, []byte("usr/share\n"), 0); err != nil {
			t.Error(err)
		}
	}()
	f := treeFlags{profile: "moby", xattrs: "default", excludeFiles: []string{name}}
	if err := f.check(t.Context()); err != nil || len(f.excludes) != 1 || f.excludes[0] != "usr/share" {
		t.Errorf("--exclude-from a FIFO gives %q, %v", f.excludes, err)
	}
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
		if data, err := readDocument(ctx, place); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: readDocument = %q, %v", name, data, err)
		}
	}
}

// TestLateFileIsClosed has a FIFO's other end come when nobody waits any more.
func TestLateFileIsClosed(t *testing.T) {
	name := fifo(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := openBlocking(ctx, name, os.O_WRONLY); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("openBlocking = %v", err)
	}
	// The opener that was left waits on; once it is let through it closes, and
	// this reader sees the end.
	r, err := os.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the late writer is open still: %d bytes, %v", n, err)
	}
}

// TestPasswordFromStdin is bounded, and can be given up.
func TestPasswordFromStdin(t *testing.T) {
	ask := func(ctx context.Context, text string, end bool) (string, error) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		go func() {
			_, _ = w.WriteString(text) // the reader may go away
			if end {
				w.Close()
			}
		}()
		f := registryFlags{streams: streams{in: r}, user: "u", passwordStdin: true}
		return f.password(ctx)
	}
	if got, err := ask(t.Context(), "secret\r\n", true); got != "secret" || err != nil {
		t.Errorf("password = %q, %v", got, err)
	}
	if got, err := ask(t.Context(), strings.Repeat("x", maxPassword+1), true); err == nil {
		t.Errorf("of %d bytes %d were taken", maxPassword+1, len(got))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, "sec", false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a password that never ends: %v", err)
	}
}
