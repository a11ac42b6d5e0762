package ocispec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// HostUser is the user of the host who starts a rootless bundle. The container
// sees him as root, and no other id exists in it: mapping more takes newuidmap
// and etc/subuid of that host.
type HostUser struct {
	UID, GID uint32
}

// makeRootless changes spec as `runc spec --rootless` does: a user namespace
// with one id, the host's network and its /sys bound (a sysfs needs a network
// namespace of one's own), no cgroup limits.
func makeRootless(spec *rspec.Spec, host HostUser) error {
	u := spec.Process.User
	if u.UID != 0 || u.GID != 0 || len(u.AdditionalGids) > 0 {
		return fmt.Errorf("making a rootless spec: user %d:%d with additional groups %v: only user 0:0 exists there",
			u.UID, u.GID, u.AdditionalGids)
	}
	spec.Linux.Namespaces = slices.DeleteFunc(spec.Linux.Namespaces, func(ns rspec.LinuxNamespace) bool {
		return ns.Type == rspec.NetworkNamespace
	})
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, rspec.LinuxNamespace{Type: rspec.UserNamespace})
	spec.Linux.UIDMappings = []rspec.LinuxIDMapping{{ContainerID: 0, HostID: host.UID, Size: 1}}
	spec.Linux.GIDMappings = []rspec.LinuxIDMapping{{ContainerID: 0, HostID: host.GID, Size: 1}}
	spec.Linux.Resources = nil
	for i := range spec.Mounts {
		spec.Mounts[i] = rootlessMount(spec.Mounts[i])
	}
	return nil
}

func rootlessMount(m rspec.Mount) rspec.Mount {
	if path.Clean(m.Destination) == "/sys" && m.Type == "sysfs" {
		return rspec.Mount{
			Destination: "/sys", Type: "none", Source: "/sys",
			Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"},
		}
	}
	// An id that is not mapped makes mount(2) fail: devpts has gid=5.
	m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(option string) bool {
		return strings.HasPrefix(option, "uid=") || strings.HasPrefix(option, "gid=")
	})
	return m
}
