package ocispec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultMounts are containerd's, but for its tmpfs on /run: that would hide
// what the image has there.
func defaultMounts() []rspec.Mount {
	return []rspec.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc",
			Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts",
			Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue",
			Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs",
			Options: []string{"nosuid", "noexec", "nodev", "ro"}},
	}
}

// newMounts gives the defaults, then volumes (as Clean gives them) and the user's
// mounts by destination, so that a mount comes after the one it lies in. One destination
// is mounted once: the user's mount wins, in the default's place, and Clean leaves
// no volume where there is another mount.
func newMounts(volumes map[string]struct{}, owner identity, user []rspec.Mount) ([]rspec.Mount, error) {
	taken := map[string]bool{}
	var added []rspec.Mount
	mounts := defaultMounts()
	for _, m := range user {
		at, err := cleanDestination(m.Destination)
		if err != nil {
			return nil, err
		}
		if taken[at] {
			return nil, fmt.Errorf("reading mount %q: mounted on twice", m.Destination)
		}
		taken[at] = true
		if i := slices.IndexFunc(mounts, func(d rspec.Mount) bool { return d.Destination == at }); i >= 0 {
			mounts[i] = m
		} else {
			added = append(added, m)
		}
	}
	// A directory that is bound on /dev is to be as it is, as with docker: places
	// for mounts below it would be made in the host's.
	if slices.ContainsFunc(user, func(m rspec.Mount) bool { return isBind(m) && path.Clean(m.Destination) == "/dev" }) {
		mounts = slices.DeleteFunc(mounts, func(m rspec.Mount) bool {
			return strings.HasPrefix(m.Destination, "/dev/") && !taken[path.Clean(m.Destination)]
		})
	}
	for volume := range volumes {
		added = append(added, volumeMount(volume, owner))
	}
	slices.SortFunc(added, func(a, b rspec.Mount) int {
		return strings.Compare(path.Clean(a.Destination), path.Clean(b.Destination))
	})
	return append(mounts, added...), nil
}

// volumeMount keeps a volume's data out of the root (conversion.md, Optional
// Fields, 2) and starts it with what the image has there: tmpcopyup is a mount
// option of runc and crun (runtime-spec config.md, Linux mount options). It
// copies what lies below the directory with its owners, but not the directory's
// own, so that a process that is not root could not write to its volume.
func volumeMount(volume string, owner identity) rspec.Mount {
	options := []string{"nosuid", "nodev", "tmpcopyup"}
	if owner.uid != 0 {
		options = append(options, fmt.Sprintf("uid=%d", owner.uid), fmt.Sprintf("gid=%d", owner.gid))
	}
	return rspec.Mount{Destination: volume, Type: "tmpfs", Source: "tmpfs", Options: options}
}

// cleanDestination refuses the root itself, on which nothing can be mounted.
func cleanDestination(destination string) (string, error) {
	at := path.Clean(destination)
	if !path.IsAbs(at) || at == "/" {
		return "", fmt.Errorf("reading mount %q: want an absolute path below /", destination)
	}
	return at, nil
}

// MountPoint is a place in the root on which a config.json mounts something.
type MountPoint struct {
	// Path is relative to the root, clean, without a leading slash.
	Path string
	// Source is the host's path that is bound there, empty where the mount
	// is no bind mount.
	Source string
	// NoSymlink is whether a runtime refuses a symlink as the place: runc for
	// proc and sysfs, crun for /dev.
	NoSymlink bool
}

// MountPoints gives the destinations of spec's mounts, sorted by bytes, each
// once. A bundle whose root has them all starts read-only.
func MountPoints(spec *rspec.Spec) []MountPoint {
	var points []MountPoint
	for _, m := range spec.Mounts {
		// A relative destination is relative to "/" (config.md, mounts), and
		// ".." stops there.
		p := strings.TrimPrefix(path.Clean("/"+m.Destination), "/")
		if p == "" {
			continue
		}
		point := MountPoint{Path: p, NoSymlink: m.Type == "proc" || m.Type == "sysfs" || p == "dev"}
		if isBind(m) {
			point.Source = m.Source
		}
		points = append(points, point)
	}
	// Of mounts on one place the first one needs the place; it stays first.
	slices.SortStableFunc(points, func(a, b MountPoint) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(points, func(a, b MountPoint) bool { return a.Path == b.Path })
}

// WorkingDir gives the path of process.cwd in the root, in the form of
// MountPoint.Path. It is empty for the root itself, and if spec mounts something at
// the path or above it: the process does not see the root's directory then. Runtimes
// make a missing working directory, but not in a root that cannot be written to.
func WorkingDir(spec *rspec.Spec) string {
	if spec.Process == nil {
		return ""
	}
	cwd := strings.TrimPrefix(path.Clean("/"+spec.Process.Cwd), "/")
	for _, point := range MountPoints(spec) {
		if cwd == point.Path || strings.HasPrefix(cwd, point.Path+"/") {
			return ""
		}
	}
	return cwd
}

func isBind(m rspec.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}
