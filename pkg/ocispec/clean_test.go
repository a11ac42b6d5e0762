package ocispec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// TestCleanEnv: each entry that config.json lacks is named, and none without need.
func TestCleanEnv(t *testing.T) {
	for _, c := range []struct {
		env     []string
		dropped []string
	}{
		{nil, nil},
		{[]string{"A=1", "B=", "C D=x", "E=="}, nil},
		{[]string{"A=1", "ALONE"}, []string{`Env "ALONE": it has no "="`}},
		{[]string{""}, []string{`Env "": it has no "="`}},
		{[]string{"=x", "="}, []string{`Env "=x": it has no name`, `Env "=": it has no name`}},
		{[]string{"A=\x00", "\x00=1"}, []string{`Env "A=\x00": it has a zero byte`, `Env "\x00=1": it has a zero byte`}},
		{[]string{"A=1", "A=2", "A=3"}, []string{`Env "A=1": a later entry sets "A", too`, `Env "A=2": a later entry sets "A", too`}},
		{[]string{"A=1", "A=1"}, nil},
		{[]string{"A=1", "a=2"}, nil},
	} {
		_, dropped := Clean(testImage(ispec.ImageConfig{Env: c.env}), Options{})
		checkDropped(t, dropped, c.dropped)
	}
	_, dropped := Clean(testImage(ispec.ImageConfig{Env: []string{"A", "B", "C=1", "C=2", "D"}}), Options{Env: []string{"A=1", "B", "C=3"}})
	checkDropped(t, dropped, []string{`Env "D": it has no "="`})
}

func TestCleanVolumes(t *testing.T) {
	const kernels = ": the kernel's own files are in "
	longName, longPath := "/"+strings.Repeat("x", maxName+1), strings.Repeat("/x", maxPath/2+1)
	for _, c := range []struct {
		volume, at, dropped string
	}{
		{"/data", "/data", ""},
		{"/data/", "/data", ""},
		{"//data//x", "/data/x", ""},
		{"data", "/data", ""},
		{"./data", "/data", ""},
		{"['/data']", "/['/data']", ""},
		{"/a/../b", "/b", ""},
		{"../../b", "/b", ""},
		{" /data", "/ /data", ""},
		{"/a b", "/a b", ""},
		{"/dev/disk", "/dev/disk", ""},
		{"/dev/shm/x", "/dev/shm/x", ""},
		{"/dev/nullable", "/dev/nullable", ""},
		{"C:\\data", "/C:\\data", ""},
		{"/" + strings.Repeat("x", maxName), "/" + strings.Repeat("x", maxName), ""},
		{"/process", "/process", ""},
		{"/", "", `Volumes "/": nothing can be mounted on the root itself`},
		{"", "", `Volumes "": nothing can be mounted on the root itself`},
		{".", "", `Volumes ".": nothing can be mounted on the root itself`},
		{"/data/..", "", `Volumes "/data/..": nothing can be mounted on the root itself`},
		{"/a\x00b", "", `Volumes "/a\x00b": no path has a zero byte`},
		{"/proc", "", `Volumes "/proc"` + kernels + `"/proc"`},
		{"proc/self", "", `Volumes "proc/self"` + kernels + `"/proc"`},
		{"/sys/fs/cgroup", "", `Volumes "/sys/fs/cgroup"` + kernels + `"/sys"`},
		{"/dev/pts/", "", `Volumes "/dev/pts/"` + kernels + `"/dev/pts"`},
		{"/dev/mqueue/q", "", `Volumes "/dev/mqueue/q"` + kernels + `"/dev/mqueue"`},
		{"/dev", "", `Volumes "/dev": a tmpfs is there already`},
		{"dev/shm/", "", `Volumes "dev/shm/": a tmpfs is there already`},
		{"/dev/null", "", `Volumes "/dev/null": runtimes make the device "/dev/null"`},
		{"/dev/console/x", "", `Volumes "/dev/console/x": runtimes make the device "/dev/console"`},
		{"/dev/ptmx", "", `Volumes "/dev/ptmx": runtimes make the device "/dev/ptmx"`},
		{longName, "", `Volumes "` + longName + `": no path is longer than 4095 bytes, and no name in it than 255`},
		{longPath, "", `Volumes "` + longPath + `": no path is longer than 4095 bytes, and no name in it than 255`},
	} {
		volumes := map[string]struct{}{c.volume: {}}
		cleaned, dropped := Clean(testImage(ispec.ImageConfig{Volumes: volumes}), Options{})
		var want []string
		if c.dropped != "" {
			want = []string{c.dropped}
		}
		checkDropped(t, dropped, want)
		if got := slices.Collect(maps.Keys(cleaned.Config.Volumes)); len(got) > 1 || len(got) == 1 && got[0] != c.at || (len(got) == 0) != (c.at == "") {
			t.Errorf("volume %q: got %q, want %q", c.volume, got, c.at)
		}
		if _, there := volumes[c.volume]; !there || len(volumes) != 1 {
			t.Errorf("volume %q: Clean changed the image's own to %v", c.volume, volumes)
		}
	}
	_, dropped := Clean(testImage(ispec.ImageConfig{Volumes: map[string]struct{}{"/": {}}}), Options{Volumes: VolumesNone})
	checkDropped(t, dropped, nil)

	volumes := map[string]struct{}{"proc/x": {}, "/dev/": {}, "data": {}, "/other": {}}
	mounts := []rspec.Mount{{Destination: "/proc/x/"}, {Destination: "/dev"}, {Destination: "/data"}}
	cleaned, dropped := Clean(testImage(ispec.ImageConfig{Volumes: volumes}), Options{Mounts: mounts})
	checkDropped(t, dropped, nil)
	equal(t, "volumes beside mounts", slices.Collect(maps.Keys(cleaned.Config.Volumes)), []string{"/other"})
}

// TestCleanTwice: what Clean gave is clean, and what cmd reports is what New does.
func TestCleanTwice(t *testing.T) {
	img := testImage(ispec.ImageConfig{
		Entrypoint: []string{""}, Cmd: []string{"/c"}, Env: []string{"A", "B=1", "B=2"},
		Volumes: map[string]struct{}{"data": {}, "/data": {}, "/": {}}, Labels: map[string]string{"": "v", "a": "b"},
	})
	once, dropped := Clean(img, Options{})
	checkDropped(t, dropped, []string{
		`Env "A": it has no "="`, `Env "B=1": a later entry sets "B", too`,
		`Labels "": an annotation of config.json has a name`, `Volumes "/": nothing can be mounted on the root itself`,
	})
	if img.Config.Labels[""] != "v" {
		t.Errorf("Clean changed the image's labels to %v", img.Config.Labels)
	}
	twice, dropped := Clean(once, Options{})
	checkDropped(t, dropped, nil)
	if !reflect.DeepEqual(once, twice) {
		t.Errorf("twice gives\n%+v, once\n%+v", twice, once)
	}
	if dirty, clean := mustNew(t, img, Accounts{}, Options{}), mustNew(t, once, Accounts{}, Options{}); !reflect.DeepEqual(dirty, clean) {
		t.Errorf("New of the image gives\n%+v, of what Clean gave\n%+v", dirty, clean)
	}
}

func checkDropped(t *testing.T, dropped []Dropped, want []string) {
	t.Helper()
	var got []string
	for _, d := range dropped {
		got = append(got, fmt.Sprintf("%s %q: %s", d.Field, d.Value, d.Why))
	}
	equal(t, "dropped", got, want)
}
