package snapshot

import (
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
)

// idMapped says that the kernel is asked to shift owners on the way.
func idMapped(m mount.Mount) bool {
	for _, o := range m.Options {
		if strings.HasPrefix(o, "uidmap=") || strings.HasPrefix(o, "gidmap=") {
			return true
		}
	}
	return false
}

// cloned protects mounts from callees that change their argument.
func cloned(mounts []mount.Mount) []mount.Mount {
	c := make([]mount.Mount, len(mounts))
	for i, m := range mounts {
		c[i] = m
		c[i].Options = append([]string(nil), m.Options...)
	}
	return c
}
