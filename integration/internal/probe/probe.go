// Package probe says what a process finds itself to be: who it is, where, with
// which mounts and capabilities. The program in cmd prints it as JSON from
// inside a container; the tests read that back.
package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// State is what a process sees of itself and its surroundings.
type State struct {
	UID, GID int
	// Groups are the supplementary groups, in the kernel's order.
	Groups   []int
	Args     []string
	Env      []string
	Cwd      string
	Hostname string
	// Status has fields of /proc/self/status by name: Seccomp, NoNewPrivs and
	// the capability sets (CapEff, ...) in hexadecimal.
	Status map[string]string
	// Denied are system calls that a seccomp filter refuses, with its answer.
	Denied []string
	// NoFile is the hard RLIMIT_NOFILE: Go raises the soft one for itself.
	NoFile uint64
	// Terminal is whether standard output is one.
	Terminal bool
	// ReadOnly is whether the root filesystem is mounted so.
	ReadOnly bool
	// Mounts are the visible mounts by mount point.
	Mounts map[string]Mount
	// Namespaces are the names of /proc/self/ns with what they link to.
	Namespaces map[string]string
	// Limits are those of memory, cpu and pids, if a place that was asked for
	// is a tree of cgroups.
	Limits map[string]string
	// Places are what was asked for, by path.
	Places map[string]Place
}

// Mount is a line of /proc/self/mountinfo.
type Mount struct {
	Type, Options string
}

// Place is a file or directory as the process sees it.
type Place struct {
	UID, GID uint32
	Mode     fs.FileMode
	// Names are what a directory holds, sorted.
	Names []string
	// Refused is why no file can be made in it, empty where one can. Where
	// there is nothing, it says so.
	Refused string
}

// Read gives the state of this process and the places at the given paths.
func Read(paths []string) (*State, error) {
	s := &State{UID: os.Getuid(), GID: os.Getgid(), Args: os.Args, Env: os.Environ(), Places: map[string]Place{}}
	_, err := unix.IoctlGetTermios(int(os.Stdout.Fd()), unix.TCGETS)
	s.Terminal = err == nil
	for _, read := range []func() error{s.readProcess, s.readStatus, s.readMounts, s.readNamespaces} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		if s.Places[path], err = readPlace(path); err != nil {
			return nil, err
		}
		if path == cgroups {
			if err := s.readLimits(); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *State) readProcess() error {
	var limit syscall.Rlimit
	rlimit := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	s.NoFile = limit.Max
	s.Denied = denied()
	var groups, cwd, hostname error
	s.Groups, groups = os.Getgroups()
	// Not os.Getwd, which believes $PWD.
	s.Cwd, cwd = syscall.Getwd()
	s.Hostname, hostname = os.Hostname()
	return errors.Join(rlimit, groups, cwd, hostname)
}

// readStatus reads /proc/self/status; see proc(5).
func (s *State) readStatus() error {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	s.Status = map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.HasPrefix(name, "Cap") || name == "Seccomp" || name == "NoNewPrivs" {
			s.Status[name] = strings.TrimSpace(value)
		}
	}
	return nil
}

// readMounts reads /proc/self/mountinfo; see proc(5): the mount point is field
// 5, its options are field 6, and the type follows the lone hyphen.
func (s *State) readMounts() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	s.Mounts = map[string]Mount{}
	for line := range strings.Lines(string(data)) {
		mount, filesystem, found := strings.Cut(line, " - ")
		fields, types := strings.Fields(mount), strings.Fields(filesystem)
		if !found || len(fields) < 6 || len(types) == 0 {
			return fmt.Errorf("reading /proc/self/mountinfo: line %q is cut", line)
		}
		s.Mounts[fields[4]] = Mount{Type: types[0], Options: fields[5]}
	}
	s.ReadOnly = strings.HasPrefix(s.Mounts["/"].Options, "ro")
	return nil
}

func (s *State) readNamespaces() error {
	const dir = "/proc/self/ns"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	s.Namespaces = map[string]string{}
	for _, e := range entries {
		if s.Namespaces[e.Name()], err = os.Readlink(dir + "/" + e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func readPlace(path string) (Place, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Place{Refused: fs.ErrNotExist.Error()}, nil
	}
	if err != nil {
		return Place{}, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	p := Place{UID: stat.Uid, GID: stat.Gid, Mode: info.Mode()}
	if !info.IsDir() {
		return p, nil
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		p.Names = append(p.Names, e.Name())
	}
	f, refused := os.CreateTemp(path, ".probe")
	if refused != nil {
		p.Refused = errors.Unwrap(refused).Error()
		return p, err
	}
	return p, errors.Join(err, f.Close(), os.Remove(f.Name()))
}
