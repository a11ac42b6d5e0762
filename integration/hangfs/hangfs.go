// Package hangfs mounts a directory by FUSE once more, as a file system that does
// not answer where a test wants it: a registry, a server or a disk is away.
package hangfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// late is where the operation Late begins to hang: a body has begun by then.
const late = 1 << 20

// The operations that may hang. Below a directory or file whose name has "hang-OP" in
// it, OP does not return.
const (
	Stat    = "stat"
	Open    = "open"
	Read    = "read"
	Late    = "late" // reading what is behind the first MiB
	List    = "list"
	Xattr   = "xattr"
	Symlink = "symlink"
	Close   = "close"
	Create  = "create"
	Write   = "write"
	Sync    = "sync"
	Rename  = "rename"
	Remove  = "remove"
	Statfs  = "statfs"
)

// Failures are the errors that reading gives, where the name has "fail-" and one of
// these in it.
var Failures = map[string]syscall.Errno{"io": syscall.EIO, "stale": syscall.ESTALE, "away": syscall.ENOTCONN, "slow": syscall.ETIMEDOUT}

// FS is a mounted file system.
type FS struct {
	fuse.RawFileSystem
	// Dir is where it is mounted.
	Dir string
	// Program is the path of the program for which it hangs. For other programs it
	// does while Others names that, too.
	Program string
	Others  atomic.Pointer[string]
	// OthersHang says that a call of such a program hung.
	OthersHang atomic.Bool

	// hangs counts the calls that hung, by the thread that made them.
	hangs sync.Map

	mu sync.Mutex
	// release is closed when what hangs is to return; nothing hangs then any more.
	release chan struct{}
	// marks are what has to hang for a node and those below it, by its number.
	marks map[uint64]string
}

// Mount mounts what is in dir at another directory, until the test ends.
func Mount(t testing.TB, dir, at, program string) *FS {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("SKIPPED: there is no /dev/fuse: a file system that hangs is one of FUSE")
	}
	root, err := fs.NewLoopbackRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &FS{
		RawFileSystem: fs.NewNodeFS(root, &fs.Options{NullPermissions: true}),
		Dir:           at, Program: program,
		release: make(chan struct{}), marks: make(map[uint64]string),
	}
	server, err := fuse.NewServer(f, at, &fuse.MountOptions{
		AllowOther: true, DirectMountStrict: true, DisableReadDirPlus: true, Name: "hang",
		DisabledCapabilities: fuse.CAP_PASSTHROUGH, // reads would not come here
	})
	if err != nil {
		t.Fatalf("mounting a FUSE file system: %v", err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Answer()
		if err := server.Unmount(); err != nil {
			t.Errorf("unmounting %q: %v", at, err)
		}
	})
	return f
}

// Answer makes everything return, until Hang is called.
func (f *FS) Answer() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.release: // it is closed
	default:
		close(f.release)
	}
}

// Hang makes what hung return, and the calls after it hang again.
func (f *FS) Hang() {
	f.Answer()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release = make(chan struct{})
	f.OthersHang.Store(false)
}

// released gives the channel that is closed when what hangs now is to return.
func (f *FS) released() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.release
}

// Hangs says whether a call of a process hangs or hung.
func (f *FS) Hangs(pid int) bool {
	found := false
	f.hangs.Range(func(thread, _ any) bool {
		_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(thread.(int))))
		found = found || err == nil
		return !found
	})
	return found
}

// stall hangs, until it is released or the thread that calls is killed, where op is to
// hang for a node or for a name in it.
func (f *FS) stall(cancel <-chan struct{}, h *fuse.InHeader, op, name string) fuse.Status {
	mark := f.mark(h.NodeId, name)
	if !strings.Contains(mark, "hang-"+op) && (op != Read || !strings.Contains(mark, "fail-")) || !f.isFor(h.Pid) {
		return fuse.OK
	}
	for name, errno := range Failures {
		if strings.Contains(mark, "fail-"+name) {
			return fuse.Status(errno)
		}
	}
	f.hangs.Store(int(h.Pid), true)
	release := f.released()
	select {
	case <-release:
		return fuse.OK
	case <-cancel:
	}
	// A signal came. A file system that does not answer does not answer to that, either;
	// but a killed process is to end.
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !killed(h.Pid) {
		select {
		case <-release:
			return fuse.OK
		case <-look.C:
		}
	}
	return fuse.Status(syscall.EINTR)
}

// killed says whether a thread is to end (proc(5), "SigPnd"), or is not there any more.
func killed(thread uint32) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(thread)), "status"))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(text), "\nSigPnd:")
	var pending uint64
	_, err = fmt.Sscanf(after, "%x", &pending)
	return err != nil || pending&(1<<(syscall.SIGKILL-1)) != 0
}

func (f *FS) isFor(thread uint32) bool {
	program, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(int(thread)), "exe"))
	others := f.Others.Load()
	if err != nil || others == nil || filepath.Base(program) != *others {
		return err == nil && program == f.Program
	}
	f.OthersHang.Store(true)
	return true
}

// mark gives what has to hang for a name in a node.
func (f *FS) mark(node uint64, name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(name, "hang-") || strings.Contains(name, "fail-") {
		return name
	}
	return f.marks[node]
}

// found notes the mark of a node that was looked up or made.
func (f *FS) found(parent uint64, name string, node uint64, status fuse.Status) fuse.Status {
	if mark := f.mark(parent, name); status.Ok() && mark != "" {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.marks[node] = mark
	}
	return status
}
