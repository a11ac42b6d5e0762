package probe

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// cgroups is where a host's hierarchies are bound, so that a process can find
// its own cgroup: its cgroup namespace says only "/".
const cgroups = "/sys/fs/cgroup"

// limitFiles are those of cgroup v1 and v2, and what they limit.
var limitFiles = map[string]string{
	"memory.limit_in_bytes": "memory", "memory.max": "memory",
	"cpu.cfs_quota_us": "cpu", "cpu.max": "cpu",
	"pids.max": "pids",
}

// readLimits reads the limits of the cgroups that this process is in.
func (s *State) readLimits() error {
	s.Limits = map[string]string{}
	tree := os.DirFS(cgroups)
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return err
		}
		// Ids are of the reader's pid namespace: nobody else is 1 there.
		members, err := fs.ReadFile(tree, name)
		if err != nil || !slices.Contains(strings.Fields(string(members)), "1") {
			return err
		}
		for file, what := range limitFiles {
			if value, err := fs.ReadFile(tree, path.Join(path.Dir(name), file)); err == nil {
				s.Limits[what] = strings.TrimSpace(string(value))
			}
		}
		return nil
	})
}
