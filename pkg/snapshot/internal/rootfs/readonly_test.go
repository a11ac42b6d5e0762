package rootfs

import (
	"fmt"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
)

// TestReadOnly holds that nothing writable is left of an active snapshot's
// mounts, for each snapshotter's form of them.
func TestReadOnly(t *testing.T) {
	for name, c := range map[string]struct{ have, want mount.Mount }{
		"overlayfs": {
			mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"index=off", "workdir=/3/work", "upperdir=/3/fs", "lowerdir=/2/fs:/1/fs"}},
			mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"index=off", "lowerdir=/3/fs:/2/fs:/1/fs", "ro"}},
		},
		"a path with a colon": {
			mount.Mount{Type: "overlay", Options: []string{"upperdir=/a:b/fs", "lowerdir=/1/fs"}},
			mount.Mount{Type: "overlay", Options: []string{`lowerdir=/a\:b/fs:/1/fs`, "ro"}},
		},
		"erofs": {
			mount.Mount{Type: "format/mkdir/overlay", Options: []string{"workdir=/3/work", "upperdir=/3/fs", "lowerdir={{ overlay 0 1 }}"}},
			mount.Mount{Type: "format/mkdir/overlay", Options: []string{"lowerdir=/3/fs:{{ overlay 0 1 }}", "ro"}},
		},
		"native": {
			mount.Mount{Type: "bind", Source: "/3", Options: []string{"rbind", "rw"}},
			mount.Mount{Type: "bind", Source: "/3", Options: []string{"rbind", "ro"}},
		},
		"blockfile": {
			mount.Mount{Type: "ext4", Source: "/3", Options: []string{"loop", "rw"}},
			mount.Mount{Type: "ext4", Source: "/3", Options: []string{"loop", "noload", "ro"}},
		},
		"devmapper with xfs": {
			mount.Mount{Type: "xfs", Source: "/dev/dm-3", Options: []string{"nouuid"}},
			mount.Mount{Type: "xfs", Source: "/dev/dm-3", Options: []string{"nouuid", "norecovery", "ro"}},
		},
	} {
		before := fmt.Sprint(c.have)
		if got := ReadOnly([]mount.Mount{c.have})[0]; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v became %v, want %v", name, c.have, got, c.want)
		}
		if fmt.Sprint(c.have) != before {
			t.Errorf("%s: the caller's mounts became %v", name, c.have)
		}
	}
}
