package snapshot

import (
	"fmt"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/sys/mountinfo"
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
		if got := readOnly([]mount.Mount{c.have})[0]; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v became %v, want %v", name, c.have, got, c.want)
		}
		if fmt.Sprint(c.have) != before {
			t.Errorf("%s: the caller's mounts became %v", name, c.have)
		}
	}
}

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

func TestPodReadings(t *testing.T) {
	containers := []podContainer{
		{"default", "web", "app"}, {"default", "web", "sidecar"}, {"prod", "web", "app"}, {"web", "app", "x"}, {"default", "db", "pg"},
	}
	for text, want := range map[string]string{
		"db":              "[default/db/pg]",
		"default/db":      "[default/db/pg]",
		"db/pg":           "[default/db/pg]",
		"default/web":     "[default/web/app default/web/sidecar]",
		"web/sidecar":     "[default/web/sidecar]",
		"web/app":         "[default/web/app prod/web/app web/app/x]",
		"prod/web/app":    "[prod/web/app]",
		"prod/web/x":      "[]",
		"web":             "[default/web/app default/web/sidecar prod/web/app]",
		"default/web/app": "[default/web/app]",
	} {
		got := []podContainer{}
		for _, c := range containers {
			for _, reading := range podReadings(text) {
				if reading.names(c) {
					got = append(got, c)
				}
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("pod:%s names %v, want %s", text, got, want)
		}
	}
}

func TestParseIDMaps(t *testing.T) {
	for text, want := range map[string]string{
		"0:100000:65536":      "[{0 100000 65536}] <nil>",
		"0:1000:1,1:100000:9": "[{0 1000 1} {1 100000 9}] <nil>",
		"0:100000":            `[] parsing id mapping "0:100000": it is INSIDE:OUTSIDE:SIZE`,
		"":                    `[] parsing id mapping "": it is INSIDE:OUTSIDE:SIZE`,
		"0:-1:1":              `[] parsing id mapping "0:-1:1": it is INSIDE:OUTSIDE:SIZE`,
		"0:0:1:2":             `[] parsing id mapping "0:0:1:2": it is INSIDE:OUTSIDE:SIZE`,
	} {
		maps, err := parseIDMaps(text)
		short := []string{}
		for _, m := range maps {
			short = append(short, fmt.Sprintf("{%d %d %d}", m.ContainerID, m.HostID, m.Size))
		}
		if got := fmt.Sprint(short, " ", err); got != want {
			t.Errorf("%q gave %s, want %s", text, got, want)
		}
	}
}
