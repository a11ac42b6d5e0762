package hostfile

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

// TestSettle: work returns in time, late, and while it is waited for.
func TestSettle(t *testing.T) {
	why, failure := errors.New("ended by the test"), errors.New("it fails")
	for name, c := range map[string]struct {
		takes time.Duration
		ended bool
		err   error
	}{
		"returns":              {0, false, nil},
		"fails":                {0, false, failure},
		"returns within grace": {50 * time.Millisecond, true, nil},
		"fails within grace":   {50 * time.Millisecond, true, failure},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if c.ended {
			cancel(why)
		}
		got, err := SettleWithin(ctx, time.Minute, func() (int, error) {
			time.Sleep(c.takes)
			return 7, c.err
		}, func(int, error) { t.Errorf("%s: it is late", name) })
		if got != 7 || !errors.Is(err, c.err) {
			t.Errorf("%s: %d and %v, want 7 and %v", name, got, err, c.err)
		}
		cancel(nil)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	answer, late := make(chan struct{}), make(chan int)
	_, err := SettleWithin(ctx, time.Millisecond, func() (int, error) {
		<-answer
		return 7, failure
	}, func(value int, err error) {
		if !errors.Is(err, failure) {
			t.Errorf("late has the error %v", err)
		}
		late <- value
	})
	var hung *HungError
	if !errors.As(err, &hung) || !errors.Is(err, why) {
		t.Errorf("work that does not return: %v, want a HungError of %q", err, why)
	}
	close(answer)
	if got := <-late; got != 7 {
		t.Errorf("late has %d", got)
	}
}

// TestHungNamesTheCall has system calls that wait for a FIFO's other end.
func TestHungNamesTheCall(t *testing.T) {
	dir := t.TempDir()
	fifo := func(name string) string {
		path := filepath.Join(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	opened, inFolder, read := fifo("opened"), fifo("in-folder"), fifo("read")
	// A descriptor of both ends: reading it waits, and Go's poller has no part in it.
	both, err := unix.Open(read, unix.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	go func() {
		fd, err := unix.Open(opened, unix.O_RDONLY, 0)
		done <- errors.Join(err, unix.Close(fd))
	}()
	go func() {
		fd, err := unix.Openat(int(folder.Fd()), "in-folder", unix.O_RDONLY, 0)
		done <- errors.Join(err, unix.Close(fd))
	}()
	go func() {
		_, err := unix.Read(both, make([]byte, 1))
		done <- err
	}()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("ended by the test"))
	wants := []string{`opening "` + opened + `"`, `opening "` + inFolder + `"`, `reading "` + read + `"`}
	var said string
	for range 50 {
		said = ""
		for _, call := range Hung(ctx).Calls {
			said += call.String() + "\n"
		}
		if strings.Count(said, dir) >= len(wants) {
			break
		}
	}
	for _, want := range wants {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("what hangs is not %s but\n%s", want, said)
		}
	}
	for _, name := range []string{opened, inFolder} {
		other, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
	}
	if _, err := unix.Write(both, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range wants {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := unix.Close(both); err != nil {
		t.Error(err)
	}
}

func TestHungError(t *testing.T) {
	cause := errors.New("interrupt")
	for want, calls := range map[string][]Call{
		"interrupt: what was begun does not return":                        nil,
		`interrupt: closing a file does not return`:                        {{Doing: "closing"}},
		`interrupt: reading "/mnt/a" on nfs4 (and 1 more) does not return`: {{"reading", "/mnt/a", "nfs4"}, {"closing", "", ""}},
		`interrupt: renaming to "out.tar" on fuse.sshfs does not return`:   {{"renaming to", "out.tar", "fuse.sshfs"}},
	} {
		if got := (&HungError{Cause: cause, Calls: calls}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNoRemoteFileSystem: what lies on this host's own is not told as from elsewhere.
func TestNoRemoteFileSystem(t *testing.T) {
	for _, name := range []string{"/proc/self", "/dev/null", "no such file"} {
		if got := RemoteFileSystem(name); got != "" {
			t.Errorf("%q lies on %q", name, got)
		}
	}
}

// TestSettleWhile has work of many steps go on for longer than each may take, until it
// returns, or until it gets on no more.
func TestSettleWhile(t *testing.T) {
	const many = 5
	why := errors.New("ended by the test")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for name, c := range map[string]struct{ hangs bool }{"gets on": {false}, "hangs": {true}} {
		steps, answer := int64(0), make(chan struct{})
		count := func() int64 {
			if steps == many && c.hangs {
				return steps
			}
			if steps++; steps == many && !c.hangs {
				close(answer)
			}
			return steps
		}
		got, err := SettleWhile(ctx, time.Millisecond, count, func() (int, error) {
			<-answer
			return 7, nil
		}, nil)
		var hung *HungError
		if c.hangs != errors.As(err, &hung) || !c.hangs && got != 7 || steps < many {
			t.Errorf("%s: %d and %v after %d steps", name, got, err, steps)
		}
		if c.hangs {
			close(answer)
		}
	}
}
