package rootfs

import (
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
)

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
