package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// TestShows tells the container of one daemon from that of another.
func TestShows(t *testing.T) {
	overlay := []mount.Mount{{Type: "overlay", Options: []string{"workdir=/r/3/work", "upperdir=/r/3/fs", "lowerdir=/r/1/fs"}}}
	for options, want := range map[string]bool{
		"rw,lowerdir=/r/1/fs,upperdir=/r/3/fs,workdir=/r/3/work":  true,
		"rw,lowerdir=/r/1/fs,upperdir=/r/33/fs,workdir=/r/3/work": false,
		"rw,lowerdir=/q/1/fs,upperdir=/q/3/fs,workdir=/q/3/work":  false,
	} {
		if got := shows(&mountinfo.Info{VFSOptions: options}, overlay); got != want {
			t.Errorf("%q shows the snapshot: %v, want %v", options, got, want)
		}
	}
}

// TestSees finds the root of a task whose container has no snapshot by its process.
func TestSees(t *testing.T) {
	task := Task{PID: uint32(os.Getpid())}
	for mountpoint, want := range map[string]bool{"/": true, t.TempDir(): false, "/no/such": false} {
		if got := task.sees(&mountinfo.Info{Mountpoint: mountpoint}); got != want {
			t.Errorf("the task has %q as its root: %v, want %v", mountpoint, got, want)
		}
	}
	if (Task{}).sees(&mountinfo.Info{Mountpoint: "/"}) {
		t.Error("a task that does not run has a root")
	}
}

// TestLikeliest prefers the mount that the task's process has as its root to a later
// one, which another user may have made.
func TestLikeliest(t *testing.T) {
	own, other := &mountinfo.Info{Mountpoint: "/"}, &mountinfo.Info{Mountpoint: t.TempDir()}
	self := uint32(os.Getpid())
	for name, test := range map[string]struct {
		pid   uint32
		found []*mountinfo.Info
		want  *mountinfo.Info
	}{
		"one":                      {self, []*mountinfo.Info{other}, other},
		"the process's first":      {self, []*mountinfo.Info{own, other}, own},
		"the process's last":       {self, []*mountinfo.Info{other, own}, own},
		"of a process unseen":      {1<<31 - 1, []*mountinfo.Info{own, other}, other},
		"of no process, last wins": {0, []*mountinfo.Info{other, own}, own},
	} {
		if got := (Task{PID: test.pid}).likeliest(test.found); got != test.want.Mountpoint {
			t.Errorf("%s: %q, want %q", name, got, test.want.Mountpoint)
		}
	}
}

// TestOpenDirectory opens the directories that containers have as their roots, and
// nothing that only lies where they were.
func TestOpenDirectory(t *testing.T) {
	host := hostRootDir(t)
	write(t, filepath.Join(host, "data/1/fs/file"), "it")
	write(t, filepath.Join(host, "file"), "")
	if err := os.Symlink("/etc", filepath.Join(host, "etc")); err != nil {
		t.Fatal(err)
	}
	const ours = "/var/lib/containerd/1/fs"
	here := filepath.Join(host, "data/1/fs")
	self := uint32(os.Getpid())
	for name, test := range map[string]struct {
		task Task
		want error
	}{
		"stopped":                   {Task{Dir: here}, nil},
		"stopped, on a host":        {Task{Dir: "/data/1/fs", HostRoot: host}, nil},
		"up in a host":              {Task{Dir: "/data/2/../1/fs", HostRoot: host}, nil},
		"up and out of a host":      {Task{Dir: "/../../data/1/fs", HostRoot: host}, nil},
		"behind a symlink":          {Task{Dir: ours, HostRoot: host}, ErrLinkedRoot},
		"behind a climbing symlink": {Task{Dir: "/var/lib/climbing/1/fs", HostRoot: host}, ErrLinkedRoot},
		"a symlink":                 {Task{Dir: filepath.Join(host, "etc")}, ErrLinkedRoot},
		"behind a process's root":   {Task{Dir: "/proc/self/root" + here}, ErrLinkedRoot},
		"the host's root":           {Task{Dir: "/"}, ErrHostRoot},
		"up to the host's root":     {Task{Dir: "/proc/.."}, ErrHostRoot},
		"the root of a host":        {Task{Dir: "/data/..", HostRoot: host}, ErrHostRoot},
		"running, of the host's":    {Task{Dir: "/", PID: self}, ErrHostRoot},
		"stopped and gone":          {Task{Dir: here + "/gone"}, fs.ErrNotExist},
		"no directory":              {Task{Dir: filepath.Join(host, "file")}, unix.ENOTDIR},
		"stopped and unmounted":     {Task{Dir: filepath.Join(host, "data/2/fs")}, ErrNothingThere},
		"running, of another root":  {Task{Dir: here, PID: self}, ErrNotTaskRoot},
		"running, of no process":    {Task{Dir: here, PID: 1<<31 - 1}, ErrNotTaskRoot},
		"running and unmounted":     {Task{Dir: filepath.Join(host, "data/2/fs"), PID: self}, ErrNotTaskRoot},
		"running, without its proc": {Task{Dir: ours, HostRoot: host, PID: self}, ErrNotTaskRoot},
	} {
		root, err := OpenDirectory(test.task)
		if err == nil {
			err = errors.Join(unix.Faccessat(int(root.Fd()), "file", unix.F_OK, 0), root.Close())
		}
		var source *SourceError
		if !errors.Is(err, test.want) || err != nil && (!errors.As(err, &source) || source.Path != test.task.Dir || source.HostRoot != test.task.HostRoot) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// A process's root is what its link says.
	proc := filepath.Join(host, "proc", strconv.Itoa(int(self)))
	if err := errors.Join(os.MkdirAll(proc, 0o700), os.Symlink(here, filepath.Join(proc, "root"))); err != nil {
		t.Fatal(err)
	}
	root, err := OpenDirectory(Task{Dir: ours, HostRoot: host, PID: self})
	if err != nil {
		t.Fatalf("running: %v", err)
	}
	defer root.Close()
	if err := unix.Faccessat(int(root.Fd()), "file", unix.F_OK, 0); err != nil {
		t.Error(err)
	}
}

// TestOpenDirectoryIsReadOnly opens a root as a mount of its own, without what is
// mounted below it.
func TestOpenDirectoryIsReadOnly(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "it")
	root, err := OpenDirectory(Task{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := unix.Mkdirat(int(root.Fd()), "new", 0o700); !errors.Is(err, unix.EROFS) {
		t.Errorf("a directory is made in it: %v", err)
	}
}
