package hostfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// stuckLooks is the time between two looks: a call that is the same in both hangs.
const stuckLooks = 100 * time.Millisecond

// argument says which file a system call is about, by its first arguments.
type argument int

const (
	byFD   argument = iota // a descriptor
	byAt                   // a directory's descriptor, and a name in it
	byPath                 // a name
	byDest                 // two names in directories, of which the second counts
)

// fileCall is a system call that may hang in a file system.
type fileCall struct {
	doing string
	by    argument
}

// fileCalls are those of this program, and of Go's package os.
var fileCalls = map[uint64]fileCall{
	unix.SYS_OPENAT:       {"opening", byAt},
	unix.SYS_OPENAT2:      {"opening", byAt},
	unix.SYS_OPEN_TREE:    {"opening", byAt},
	unix.SYS_READ:         {"reading", byFD},
	unix.SYS_PREAD64:      {"reading", byFD},
	unix.SYS_GETDENTS64:   {"listing", byFD},
	sysFstatat:            {"looking up", byAt},
	unix.SYS_STATX:        {"looking up", byAt},
	unix.SYS_FACCESSAT:    {"looking up", byAt},
	unix.SYS_FSTAT:        {"looking up", byFD},
	unix.SYS_READLINKAT:   {"reading symlink", byAt},
	unix.SYS_FSTATFS:      {"reading the file system of", byFD},
	unix.SYS_STATFS:       {"reading the file system of", byPath},
	unix.SYS_FLISTXATTR:   {"reading xattrs of", byFD},
	unix.SYS_FGETXATTR:    {"reading xattrs of", byFD},
	unix.SYS_LLISTXATTR:   {"reading xattrs of", byPath},
	unix.SYS_LGETXATTR:    {"reading xattrs of", byPath},
	unix.SYS_LISTXATTRAT:  {"reading xattrs of", byAt},
	unix.SYS_GETXATTRAT:   {"reading xattrs of", byAt},
	unix.SYS_CLOSE:        {"closing", byFD},
	unix.SYS_FLOCK:        {"locking", byFD},
	unix.SYS_WRITE:        {"writing", byFD},
	unix.SYS_PWRITE64:     {"writing", byFD},
	unix.SYS_FTRUNCATE:    {"writing", byFD},
	unix.SYS_FALLOCATE:    {"writing", byFD},
	unix.SYS_FSYNC:        {"syncing", byFD},
	unix.SYS_FDATASYNC:    {"syncing", byFD},
	unix.SYS_MKDIRAT:      {"making", byAt},
	unix.SYS_MKNODAT:      {"making", byAt},
	unix.SYS_SYMLINKAT:    {"making", byPath},
	unix.SYS_LINKAT:       {"making", byDest},
	sysRenameat:           {"renaming to", byDest},
	unix.SYS_UNLINKAT:     {"removing", byAt},
	unix.SYS_FCHMOD:       {"changing", byFD},
	unix.SYS_FCHMODAT:     {"changing", byAt},
	unix.SYS_FCHOWN:       {"changing", byFD},
	unix.SYS_FCHOWNAT:     {"changing", byAt},
	unix.SYS_UTIMENSAT:    {"changing", byAt},
	unix.SYS_FSETXATTR:    {"changing", byFD},
	unix.SYS_LSETXATTR:    {"changing", byPath},
	unix.SYS_FREMOVEXATTR: {"changing", byFD},
	unix.SYS_LREMOVEXATTR: {"changing", byPath},
	unix.SYS_FSCONFIG:     {"mounting", byFD},
	unix.SYS_FSMOUNT:      {"mounting", byFD},
}

// stuckCalls looks for threads of this process that a file system keeps. The kernel
// knows (proc(5), /proc/pid/syscall), and no work on files has to note what it does.
// Without /proc nothing is known.
func stuckCalls() []Call {
	before := threadCalls()
	time.Sleep(stuckLooks)
	var calls []Call
	for thread, now := range threadCalls() {
		if before[thread] != now {
			continue
		}
		if call, ok := parseCall(now); ok && !slices.Contains(calls, call) {
			calls = append(calls, call)
		}
	}
	// Any order would do, but it is to be the same each time.
	slices.SortFunc(calls, func(a, b Call) int { return strings.Compare(a.String(), b.String()) })
	return calls
}

// threadCalls gives the system call of each thread that is in one.
func threadCalls() map[string]string {
	found := make(map[string]string)
	names, _ := filepath.Glob("/proc/self/task/*/syscall") // the pattern is right
	for _, name := range names {
		// A thread may end meanwhile.
		if text, err := os.ReadFile(name); err == nil {
			found[name] = string(text)
		}
	}
	return found
}

// parseCall reads a line of /proc/pid/syscall: a number, and arguments.
func parseCall(line string) (Call, bool) {
	var number, first, second, third, fourth uint64
	if _, err := fmt.Sscanf(line, "%d 0x%x 0x%x 0x%x 0x%x", &number, &first, &second, &third, &fourth); err != nil {
		return Call{}, false
	}
	kind, is := fileCalls[number]
	if !is {
		return Call{}, false
	}
	var name, on string
	switch kind.by {
	case byFD:
		name, on = descriptor(int32(first))
	case byAt:
		name, on = nameIn(int32(first), second)
	case byPath:
		name, on = nameIn(unix.AT_FDCWD, first)
	case byDest:
		name, on = nameIn(int32(third), fourth)
	}
	return Call{Doing: kind.doing, Name: name, FileSystem: on}, true
}

// nameIn names a file by a directory and a path at an address of this process.
func nameIn(dir int32, address uint64) (name, fileSystem string) {
	path := textAt(address)
	if filepath.IsAbs(path) {
		return path, typeOf(func(m *mountinfo.Info) bool { return within(path, m.Mountpoint) })
	}
	if dir != unix.AT_FDCWD {
		name, fileSystem = descriptor(dir)
		return filepath.Join(name, path), fileSystem
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return path, ""
	}
	return path, typeOf(func(m *mountinfo.Info) bool { return within(whole, m.Mountpoint) })
}

// descriptor names an open file. Neither link nor fdinfo asks its file system.
func descriptor(fd int32) (name, fileSystem string) {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return "", ""
	}
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return name, ""
	}
	_, after, _ := strings.Cut(string(info), "mnt_id:")
	var id int
	if _, err := fmt.Sscan(after, &id); err != nil {
		return name, ""
	}
	return name, typeOf(func(m *mountinfo.Info) bool { return m.ID == id })
}

// within says whether path is dir, or lies in it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// typeOf gives the file system's type of the mount that has the longest mount point
// of those that match; of several at one place the last one, which lies on top. It is
// empty where the files are this host's own.
func typeOf(match func(*mountinfo.Info) bool) string {
	found, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) { return !match(m), false })
	if err != nil || len(found) == 0 {
		return ""
	}
	best := found[0]
	for _, m := range found[1:] {
		if len(m.Mountpoint) >= len(best.Mountpoint) {
			best = m
		}
	}
	for _, begin := range remoteTypes {
		if strings.HasPrefix(best.FSType, begin) {
			return best.FSType
		}
	}
	return ""
}

// remoteTypes begin the types of file systems that have their files from a server, or
// from a process.
var remoteTypes = []string{"fuse", "nfs", "cifs", "smb", "9p", "ceph", "virtiofs", "afs", "lustre", "gpfs", "gfs2", "ocfs2", "glusterfs", "beegfs", "orangefs"}

// RemoteFileSystem gives the type of the file system that path lies on, if that has
// its files from elsewhere. The file system is not asked.
func RemoteFileSystem(path string) string {
	whole, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	return typeOf(func(m *mountinfo.Info) bool { return within(whole, m.Mountpoint) })
}

// textAt gives the text, ended by a zero, at an address of this process. It is read
// by the kernel: the thread that uses it may have returned, and freed it.
func textAt(address uint64) string {
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return ""
	}
	defer memory.Close()
	text := make([]byte, unix.PathMax)
	n, _ := memory.ReadAt(text, int64(address)) // less than asked for is an error, too
	if end := bytes.IndexByte(text[:n], 0); end >= 0 {
		return string(text[:end])
	}
	return ""
}
