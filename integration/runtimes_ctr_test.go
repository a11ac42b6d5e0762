package integration_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/ociruntime"
	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/probe"
)

// Differences from `ctr run`, in the words of the table of docs/bundle.md.
const (
	ownGID          = "own gid"
	groupsOfUser    = "groups of etc/group"
	runTmpfs        = "tmpfs on /run"
	cgroupNamespace = "cgroup namespace"
	volumeMounts    = "volumes"
)

// ctrStart is how ctr starts what a start is, and what is different then.
type ctrStart struct {
	flags   []string
	differs []string
}

// ctrStarts are the starts that ctr has the flags for.
func ctrStarts() map[string]ctrStart {
	return map[string]ctrStart{
		"no user":                              {differs: []string{ownGID, groupsOfUser}},
		"named user, in groups":                {differs: []string{ownGID}},
		"named user and group":                 {differs: []string{ownGID, groupsOfUser}},
		"uid:gid":                              {differs: []string{ownGID}},
		"uid of passwd":                        {differs: []string{ownGID, groupsOfUser}},
		"uid that passwd lacks":                {differs: []string{ownGID}},
		"--user":                               {flags: []string{"--user", "app:audio"}, differs: []string{ownGID}},
		"workdir and env":                      {flags: []string{"--env", "EMPTY=no more"}, differs: []string{ownGID}},
		"one static binary":                    {differs: []string{ownGID}},
		"one static binary, read-only":         {flags: []string{"--read-only"}, differs: []string{ownGID}},
		"volumes":                              {differs: []string{ownGID, volumeMounts}},
		"stop signal, labels and ports":        {differs: []string{ownGID}},
		"etc of links, as NixOS has it":        {differs: []string{ownGID}},
		"--seccomp default":                    {flags: []string{"--seccomp"}, differs: []string{ownGID}},
		"--seccomp default with CAP_SYS_ADMIN": {flags: []string{"--seccomp", "--cap-add", "CAP_SYS_ADMIN"}, differs: []string{ownGID}},
		"no workdir, read-only":                {flags: []string{"--read-only"}, differs: []string{ownGID}},
		"--cap-drop ALL": {
			flags: append(dropDefaults(), "--cap-add", "CAP_NET_BIND_SERVICE"), differs: []string{ownGID},
		},
		"--hostname, --cwd, --no-new-privileges": {
			flags: []string{"--hostname", "inside", "--cwd", "/proc", "--allow-new-privs"}, differs: []string{ownGID},
		},
		"busybox": {differs: []string{ownGID}},
		"debian":  {differs: []string{ownGID}},
	}
}

// dropDefaults spells out ALL, which ctr does not know.
func dropDefaults() []string {
	var flags []string
	for name := range strings.FieldsSeq("CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP SYS_CHROOT KILL AUDIT_WRITE") {
		flags = append(flags, "--cap-drop", "CAP_"+name)
	}
	return flags
}

// TestCtrRun starts the same image as a bundle and by ctr, with the same runc:
// what the process sees is the same, but for what docs/bundle.md names.
func TestCtrRun(t *testing.T) {
	exitAtOnce(t)
	d := daemon.Start(t, daemon.Options{})
	runc := ociruntime.Built(t)
	docs, err := os.ReadFile("../docs/bundle.md")
	if err != nil {
		t.Fatal(err)
	}
	all := starts(t)
	for name, ctr := range ctrStarts() {
		s, found := all[name]
		if !found {
			t.Fatalf("there is no start %q", name)
		}
		t.Run(name, func(t *testing.T) {
			want := slices.Sorted(slices.Values(append(always(), ctr.differs...)))
			bundle, _ := s.bundle(t, false)
			ours := readState(t, runc.Run(t, ociruntime.Start{Bundle: bundle}))
			got := differences(t, ours, ctrRun(t, d, s, ctr))
			if !slices.Equal(got, want) {
				t.Errorf("other by ctr run: %q, want %q", got, want)
			}
			for _, difference := range got {
				if !strings.Contains(string(docs), "\n| "+difference+" |") {
					t.Errorf("docs/bundle.md has no row for %q", difference)
				}
			}
		})
	}
}

// ctrRun imports the image and runs it.
func ctrRun(t *testing.T, d *daemon.Daemon, s start, ctr ctrStart) *probe.State {
	t.Helper()
	const ref, id = "example.com/start:1", "start"
	d.Ctr(t, "images", "import", writeArchive(t, ref, s.image))
	args := append([]string{"run", "--rm"}, ctr.flags...)
	return readState(t, d.Ctr(t, append(append(args, ref, id), s.args...)...))
}

// always are the differences of every start.
func always() []string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return []string{runTmpfs}
	}
	return []string{runTmpfs, cgroupNamespace} // ctr asks for one where all is cgroup v2
}

// differences names what a process sees otherwise, sorted. What has no name in
// docs/bundle.md is described.
func differences(t *testing.T, ours, theirs *probe.State) []string {
	t.Helper()
	all := append(groupDifferences(ours, theirs), mountDifferences(ours, theirs)...)
	if own, foreign := ownNamespaces(t, ours), ownNamespaces(t, theirs); !slices.Equal(own, foreign) {
		own = slices.DeleteFunc(own, func(name string) bool { return slices.Contains(foreign, name) })
		for _, name := range own {
			all = append(all, name+" namespace")
		}
	}
	a, b := seenBy(t, ours), seenBy(t, theirs)
	a.ID, b.ID = fmt.Sprintf("%d:%d", ours.UID, ours.GID), fmt.Sprintf("%d:%d", theirs.UID, theirs.GID)
	if !reflect.DeepEqual(a, b) {
		all = append(all, fmt.Sprintf("%+v, ctr %+v", a, b))
	}
	slices.Sort(all)
	return all
}

func groupDifferences(ours, theirs *probe.State) []string {
	var all []string
	for _, gid := range ours.Groups {
		if !slices.Contains(theirs.Groups, gid) {
			all = append(all, fmt.Sprintf("group %d", gid))
		}
	}
	for _, gid := range theirs.Groups {
		switch {
		case slices.Contains(ours.Groups, gid):
		case gid == theirs.GID:
			all = append(all, ownGID)
		case !slices.Contains(all, groupsOfUser):
			all = append(all, groupsOfUser)
		}
	}
	return all
}

// mountDifferences looks at places and types.
func mountDifferences(ours, theirs *probe.State) []string {
	var all []string
	for path, m := range ours.Mounts {
		_, asked := ours.Places[path]
		other, found := theirs.Mounts[path]
		switch {
		case path == "/", found && other.Type == m.Type: // the root is of the snapshotter's type
		case !found && (asked || path == "/run/sock") && m.Type == "tmpfs":
			if !slices.Contains(all, volumeMounts) {
				all = append(all, volumeMounts)
			}
		default:
			all = append(all, fmt.Sprintf("mount %s: %+v, ctr %+v", path, m, other))
		}
	}
	for path, m := range theirs.Mounts {
		if _, found := ours.Mounts[path]; found {
			continue
		}
		if path == "/run" && m.Type == "tmpfs" {
			all = append(all, runTmpfs)
		} else {
			all = append(all, fmt.Sprintf("mount %s: ctr %+v", path, m))
		}
	}
	return all
}

// ownNamespaces are those that the process does not share with this one.
func ownNamespaces(t *testing.T, s *probe.State) []string {
	t.Helper()
	var own []string
	for name, inode := range s.Namespaces {
		host, err := os.Readlink("/proc/self/ns/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if inode != host && !strings.HasSuffix(name, "_for_children") {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return own
}
