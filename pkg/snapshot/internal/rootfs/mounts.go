package rootfs

import (
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
)

// Task is a container, of which a task may run.
type Task struct {
	Namespace, ID string
	// PID is the task's process on the daemon's host, 0 where none runs.
	PID uint32
	// Mounts are those of the container's snapshot, empty where it has none.
	Mounts []mount.Mount
	// Dir is the root directory that its config.json names (runtime-spec,
	// config.md, "Root"), on the host whose root is at HostRoot; see OnHost.
	Dir, HostRoot string
}

// IDMapped says that the kernel is asked to shift owners on the way.
func IDMapped(m mount.Mount) bool {
	for _, o := range m.Options {
		if strings.HasPrefix(o, "uidmap=") || strings.HasPrefix(o, "gidmap=") {
			return true
		}
	}
	return false
}

// Cloned protects mounts from callees that change their argument.
func Cloned(mounts []mount.Mount) []mount.Mount {
	c := make([]mount.Mount, len(mounts))
	for i, m := range mounts {
		c[i] = m
		c[i].Options = append([]string(nil), m.Options...)
	}
	return c
}

// Dirs lists the directories that mounts are made of.
func Dirs(mounts []mount.Mount) (dirs []string) {
	for _, m := range mounts {
		if filepath.IsAbs(m.Source) {
			dirs = append(dirs, m.Source)
		}
		for _, option := range m.Options {
			switch key, value, _ := strings.Cut(option, "="); key {
			case "lowerdir":
				dirs = append(dirs, SplitLayers(value)...)
			case "upperdir":
				dirs = append(dirs, value)
			}
		}
	}
	return dirs
}
