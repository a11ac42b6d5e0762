package integration_test

import (
	"slices"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/probe"
)

// oddStarts are of images with configs that builders let through and no runtime
// starts with as they stand.
func oddStarts(t *testing.T) map[string]start {
	t.Helper()
	program := probeLayer(t)
	seeded := imagetest.Layer{
		imagetest.Dir("data", 0o750).Own(1000, 1001), imagetest.File("data/seed", 0o640, "seed"),
		imagetest.Dir("data/sub", 0o755), imagetest.FIFO("data/sub/pipe", 0o644),
		imagetest.Dir("dev2", 0o755), imagetest.Char("dev2/null", 0o666, 1, 3), imagetest.Dir("whole", 0o755),
		imagetest.File("whole/seed", 0o644, ""), imagetest.Symlink("also", "data"),
	}
	odd := imageOf(ispec.ImageConfig{
		Entrypoint: []string{""}, Cmd: []string{"/probe", "/cache", "/['/data']", "/b", "/dev/store"},
		Env:        []string{"PATH=/x", "ALONE", "=x", "A=1", "", "HOME=/", "B C=2", "A=3"},
		Volumes:    named("cache", "['/data']", "/a/../b", "/b/", "/b/below", "/", "", "/proc/x", "/sys/fs/cgroup", "/dev/store", "/dev/shm"),
		WorkingDir: "/not/there",
	}, program)
	volumes := imageOf(ispec.ImageConfig{
		Cmd: []string{"/data", "/whole", "/dev2"}, Volumes: named("/data", "/whole", "/dev2", "/also/sub", "/also"),
	}, program, seeded)
	elsewhere := imageOf(ispec.ImageConfig{
		Cmd:     []string{"/data", "/data/sub", "/dev/store"},
		Volumes: named("/also", "/data/sub", "/dev", "/devices", "/dev/null", "/dev/ptmx", "/dev/console", "/dev/store"),
	}, program, seeded, imagetest.Layer{
		imagetest.Symlink("devices", "/dev"), imagetest.Dir("dev/store", 0o755), imagetest.Char("dev/store/null", 0o666, 1, 3),
	})
	return map[string]start{
		"odd config": {
			image: odd, want: seen{Cwd: "/not/there", Env: []string{"PATH=/x", "A=3", "HOME=/", "B C=2"}},
			check: mountsAt(map[string]bool{"/cache": true, "/['/data']": true, "/b": true, "/dev/store": true}),
		},
		"odd config, read-only": {
			image: odd, flags: []string{"--read-only"},
			want:  seen{ReadOnly: true, Cwd: "/not/there", Env: []string{"PATH=/x", "A=3", "HOME=/", "B C=2"}},
			check: mountsAt(map[string]bool{"/cache": true, "/['/data']": true, "/b": true, "/dev/store": true}),
		},
		"volumes with a FIFO and a device": {
			image: volumes, check: checkSeeds(map[string]bool{"/data": false, "/dev2": false, "/whole": true}),
		},
		"volumes where something else is": {
			image: elsewhere, flags: []string{"--mount", "type=tmpfs,target=/data"},
			check: func(t *testing.T, runtime string, s *probe.State) {
				t.Helper()
				mountsAt(map[string]bool{"/data": true, "/data/sub": true, "/dev/store": true})(t, runtime, s)
				if got := s.Places["/data"].Names; !slices.Equal(got, []string{"sub"}) {
					t.Errorf("the tmpfs of --mount on \"/data\" holds %q", got)
				}
			},
		},
		"--volumes none": {
			image: volumes, flags: []string{"--volumes", "none"},
			check: checkSeeds(map[string]bool{"/data": false, "/dev2": false, "/whole": false}),
		},
		"workdir behind a symlink, read-only": {
			image: imageOf(ispec.ImageConfig{WorkingDir: "/ln/deep/"}, program, imagetest.Layer{imagetest.Symlink("ln", "/real/there")}),
			flags: []string{"--read-only"}, want: seen{ReadOnly: true, Cwd: "/real/there/deep"},
		},
		"workdir in a volume": {
			image: imageOf(ispec.ImageConfig{WorkingDir: "/data/work", Volumes: named("data")}, program),
			flags: []string{"--read-only"}, want: seen{ReadOnly: true, Cwd: "/data/work"},
		},
		"a user of few fields": {
			image: imageOf(ispec.ImageConfig{User: "app"}, program, imagetest.Layer{
				imagetest.Dir("etc", 0o755), imagetest.File("etc/passwd", 0o644, "app:x:1000\n"),
				imagetest.File("etc/group", 0o644, "staff:x:50:app\n"),
			}),
			want: seen{ID: "1000:0 [50]", Effective: noCapabilities},
		},
	}
}

func named(volumes ...string) map[string]struct{} {
	all := make(map[string]struct{})
	for _, volume := range volumes {
		all[volume] = struct{}{}
	}
	return all
}

// mountsAt checks whether something is mounted at the places, and all of them can
// be written to.
func mountsAt(want map[string]bool) func(*testing.T, string, *probe.State) {
	return func(t *testing.T, _ string, s *probe.State) {
		t.Helper()
		for path, is := range want {
			if _, got := s.Mounts[path]; got != is || s.Places[path].Refused != "" {
				t.Errorf("%q: mounted %v, want %v; %+v", path, got, is, s.Places[path])
			}
		}
	}
}

// checkSeeds is mountsAt, and looks for what the image has there.
func checkSeeds(want map[string]bool) func(*testing.T, string, *probe.State) {
	return func(t *testing.T, runtime string, s *probe.State) {
		t.Helper()
		mountsAt(want)(t, runtime, s)
		for path, names := range map[string][]string{"/data": {"seed", "sub"}, "/whole": {"seed"}, "/dev2": {"null"}} {
			if got := s.Places[path].Names; !slices.Equal(got, names) {
				t.Errorf("%q holds %q, want %q", path, got, names)
			}
		}
	}
}
