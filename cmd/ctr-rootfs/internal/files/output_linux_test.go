package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, name string) Output {
	t.Helper()
	o, err := Create(context.Background(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func put(t *testing.T, o Output, text string) {
	t.Helper()
	if _, err := o.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// names lists a directory, with hidden files.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return fmt.Sprint(all)
}

func TestFileAppearsWhole(t *testing.T) {
	for _, before := range []string{"", "an older and longer text"} {
		dir := t.TempDir()
		name := filepath.Join(dir, "a.tar")
		if before != "" {
			if err := os.WriteFile(name, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := open(t, name)
		put(t, o, "new")
		if got, _ := os.ReadFile(name); string(got) != before {
			t.Errorf("before finish, with %q: %q", before, got)
		}
		if err := o.Finish(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != "new" {
			t.Errorf("after finish, with %q: %q, %v", before, got, err)
		}
		if all := names(t, dir); all != "[a.tar]" {
			t.Errorf("with %q, the directory holds %s", before, all)
		}
	}
}

// TestModeOfOutput: what replaces a file has its mode, as with a shell's ">", and
// nothing that would let somebody run it as another.
func TestModeOfOutput(t *testing.T) {
	for older, want := range map[os.FileMode]os.FileMode{
		0:     0o666 &^ umask, // none
		0o600: 0o600, 0o640: 0o640 &^ umask, 0o666: 0o666 &^ umask, 0o444: 0o444 &^ umask,
		0o755 | os.ModeSetuid | os.ModeSetgid | os.ModeSticky: 0o644 &^ umask,
	} {
		name := filepath.Join(t.TempDir(), "a.tar")
		if older != 0 {
			if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chmod(name, older)); err != nil {
				t.Fatal(err)
			}
		}
		o := open(t, name)
		put(t, o, "new")
		if err := o.Finish(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("where %v was, mode %v, %v, want %v", older, info.Mode(), err, want)
		}
	}
}

func TestDiscardLeavesTheOlderFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.tar")
	if err := os.WriteFile(name, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := open(t, name)
	put(t, o, "half")
	if err := o.Discard(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "older" || names(t, dir) != "[a.tar]" {
		t.Errorf("after discard: %q in %s", got, names(t, dir))
	}
}

// TestNamedTemporary is the way of filesystems without unnamed files.
func TestNamedTemporary(t *testing.T) {
	for _, finish := range []bool{true, false} {
		dir := t.TempDir()
		name := filepath.Join(dir, "a.tar")
		temporary, err := temporaryName(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		w := newWhole(t.Context(), f, name, temporary)
		put(t, w, "text")
		want := "[]"
		if finish {
			want, err = "[a.tar]", w.Finish()
		} else {
			err = w.Discard()
		}
		if err != nil || names(t, dir) != want {
			t.Errorf("finish %v: %v, the directory holds %s", finish, err, names(t, dir))
		}
	}
}

func TestSymlinkStays(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	link := filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	o := open(t, link)
	put(t, o, "new")
	if err := o.Finish(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(link); err != nil || got != "target" {
		t.Errorf("link = %q, %v", got, err)
	}
	if got, _ := os.ReadFile(target); string(got) != "new" {
		t.Errorf("target = %q", got)
	}
}

func TestFIFOIsWrittenInPlace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, err := os.ReadFile(name)
		read <- fmt.Sprint(string(text), err)
	}()
	o := open(t, name)
	put(t, o, "through")
	if err := o.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "through<nil>" {
		t.Errorf("the reader got %q", got)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("after writing: %v, %v", info, err)
	}
}

func TestFIFOWithoutReaderCanBeInterrupted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Create(ctx, name, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Create = %v", err)
	}
	// Lets the writer that waits go on, and end.
	if f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
		f.Close()
	}
}

func TestOutputRefused(t *testing.T) {
	dir := t.TempDir()
	far := filepath.Join(dir, "far")
	if err := os.Symlink("gone/a.tar", far); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		dir:                                 ErrDirectory,
		filepath.Join(dir, "gone", "a.tar"): ErrNoDirectory,
		far:                                 ErrNoDirectory,
		filepath.Join(dir, "a", "\x00"):     unix.EINVAL,
	} {
		if o, err := Create(context.Background(), name, nil); err == nil {
			t.Errorf("Create(%q) gave no error: %v", name, o.Discard())
		} else if !errors.Is(err, want) {
			t.Errorf("Create(%q) = %v, want %v", name, err, want)
		}
	}
	if all := names(t, dir); all != "[far]" {
		t.Errorf("the directory holds %s", all)
	}
}

// TestStalledReaderIsLeft interrupts a write to a pipe that nobody reads.
func TestStalledReaderIsLeft(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	o := newInPlace(ctx, w, "a pipe", false)
	start := time.Now()
	if _, err := o.Write(make([]byte, 1<<20)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v", err)
	}
	if took := time.Since(start); took > 5*readerGrace {
		t.Errorf("Write was given up after %s", took)
	}
	if _, err := o.Write([]byte("more")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second Write = %v", err)
	}
	if err := o.Discard(); err != nil {
		t.Error(err)
	}
}
