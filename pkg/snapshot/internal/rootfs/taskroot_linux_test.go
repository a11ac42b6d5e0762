package rootfs

import (
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/sys/mountinfo"
)

// TestShows tells the container of one daemon from that of another.
func TestShows(t *testing.T) {
	overlay := []mount.Mount{{Type: "overlay", Options: []string{"workdir=/r/3/work", "upperdir=/r/3/fs", "lowerdir=/r/1/fs"}}}
	for options, want := range map[string]bool{
		"rw,lowerdir=/r/1/fs,upperdir=/r/3/fs,workdir=/r/3/work":  true,
		"rw,lowerdir=/r/1/fs,upperdir=/r/33/fs,workdir=/r/3/work": false,
		"rw,lowerdir=/q/1/fs,upperdir=/q/3/fs,workdir=/q/3/work":  false,
	} {
		if got := shows(&mountinfo.Info{VFSOptions: options}, overlay); got != want {
			t.Errorf("%q shows the snapshot: %v, want %v", options, got, want)
		}
	}
	if shows(&mountinfo.Info{VFSOptions: "rw"}, nil) {
		t.Error("a mount shows a snapshot that has none")
	}
}
