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

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
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
	f := treeFlags{profile: "moby", xattrs: "default", excludeFlags: excludeFlags{{name, true}}}
	if err := f.check(t.Context()); err != nil || len(f.excludes) != 1 || f.excludes[0] != "usr/share" {
		t.Errorf("--exclude-from a FIFO gives %q, %v", f.excludes, err)
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

// TestReplacementReadOnce: what is no regular file gives its bytes once, and is
// read several times.
func TestReplacementReadOnce(t *testing.T) {
	name := fifo(t)
	go func() {
		if err := os.WriteFile(name, []byte("text"), 0); err != nil {
			t.Error(err)
		}
	}()
	for name, want := range map[string]string{name: "text", "/dev/null": ""} {
		made, err := readReplacement(t.Context(), "etc/x="+name)
		if err != nil || made.Size != int64(len(want)) || made.Mode != 0o644 || made.Path != "etc/x" {
			t.Errorf("--replace etc/x=%s is %+v, %v", name, made, err)
			continue
		}
		for range 2 {
			tree := export.Insert(exporttest.New(), []export.Made{made})
			if text, err := export.ReadFile(t.Context(), tree, "etc/x", 100); err != nil || string(text) != want {
				t.Errorf("etc/x of %s holds %q, %v, want %q", name, text, err, want)
			}
			if _, err := contentOf(t.Context(), made); err != nil {
				t.Error(err)
			}
		}
	}
}
