package ocispec

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseMount(t *testing.T) {
	for _, c := range []struct{ in, want, fails string }{
		{"type=bind,source=/a,target=/b", "bind /a /b rbind,rprivate,rw", ""},
		{"type=bind,src=/a,dst=/b,ro", "bind /a /b rbind,rprivate,ro", ""},
		{"type=BIND,Source=/a,destination=/b,readonly=true", "bind /a /b rbind,rprivate,ro", ""},
		{"type=bind,source=/a,target=/b,readonly=false,bind-propagation=rshared", "bind /a /b rbind,rshared,rw", ""},
		{"type=bind,source=/a,target=/b,bind-nonrecursive", "bind /a /b bind,rprivate,rw", ""},
		{`type=bind,"source=/a,b",target=/b=c`, "bind /a,b /b=c rbind,rprivate,rw", ""},
		{"type=tmpfs,target=/t", "tmpfs tmpfs /t noexec,nosuid,nodev,rw", ""},
		{"type=tmpfs,target=/t,tmpfs-size=1.5m,tmpfs-mode=1770,ro", "tmpfs tmpfs /t noexec,nosuid,nodev,size=1572864,mode=1770,ro", ""},
		{"", "", "EOF"},
		{"source=/a,target=/b", "", "no type: want bind or tmpfs"},
		{"type=volume,target=/b", "", `type "volume": want bind or tmpfs`},
		{"type=bind,source=/a", "", "no target"},
		{"type=bind,source=/a,target=b", "", `target "b": want an absolute path`},
		{"type=bind,source=/a,target=/", "", `target "/": want an absolute path below /`},
		{"type=bind,source=a,target=/b", "", `source "a": want an absolute path`},
		{"type=bind,target=/b", "", `source "": want an absolute path`},
		{"type=bind,source=/a,target=/b,bind-propagation=all", "", `bind-propagation "all"`},
		{"type=bind,source=/a,target=/b,tmpfs-size=1", "", "tmpfs keys with type bind"},
		{"type=tmpfs,source=/a,target=/b", "", "with type tmpfs"},
		{"type=tmpfs,target=/b,tmpfs-mode=888", "", `"888"`},
		{"type=tmpfs,target=/b,tmpfs-size=big", "", `size "big"`},
		{"type=bind,source=/a,target=/b,ro=maybe", "", `ro "maybe"`},
		{"type=bind,source,target=/b", "", "source: no value"},
		{"type=bind,source=/a,target=/b,colour=red", "", `key "colour": unknown`},
		{`type=bind,"source=/a`, "", "quote"},
	} {
		m, err := ParseMount(c.in)
		if c.fails != "" {
			wantError(t, c.in, err, c.fails, "reading mount ")
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
		}
		equal(t, c.in, m.Type+" "+m.Source+" "+m.Destination+" "+strings.Join(m.Options, ","), c.want)
	}
}

func TestParseMemory(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "1b": 1, "4k": 4096, "512m": 512 << 20, "2G": 2 << 30, "1t": 1 << 40, "0.5g": 512 << 20, "1.9": 1,
	} {
		if got, err := ParseMemory(in); got != want || err != nil {
			t.Errorf("%q: got %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "m", "0", "-1", "+1", "1e3", "0x10", "Inf", "NaN", "1 m", "1mb", "99999999999t", "0.1"} {
		if got, err := ParseMemory(in); err == nil {
			t.Errorf("%q: got %d, want an error", in, got)
		}
	}
}

func TestUserMountTakesADefaultsPlace(t *testing.T) {
	bind := func(at string) rspec.Mount { return rspec.Mount{Destination: at, Type: "bind", Source: "/srv"} }
	tmpfs := func(at string) rspec.Mount { return rspec.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs"} }
	for _, c := range []struct {
		mine []rspec.Mount
		want string // the user's own with a star
	}{
		{[]rspec.Mount{tmpfs("/z/a"), bind("/dev/shm/"), bind("/z")}, "/proc /dev /dev/pts *bind:/dev/shm/ /dev/mqueue /sys *bind:/z *tmpfs:/z/a"},
		{[]rspec.Mount{bind("/dev/x"), tmpfs("/dev/")}, "/proc *tmpfs:/dev/ /dev/pts /dev/shm /dev/mqueue /sys *bind:/dev/x"},
		{[]rspec.Mount{bind("/dev")}, "/proc *bind:/dev /sys"},
		{[]rspec.Mount{bind("/dev/shm/"), bind("/dev/")}, "/proc *bind:/dev/ *bind:/dev/shm/ /sys"},
		{[]rspec.Mount{bind("/sys"), tmpfs("/proc")}, "*tmpfs:/proc /dev /dev/pts /dev/shm /dev/mqueue *bind:/sys"},
	} {
		given := slices.Clone(c.mine)
		var got []string
		for _, m := range mustNew(t, testImage(ispec.ImageConfig{}), Accounts{}, Options{Mounts: c.mine}).Mounts {
			at := m.Destination
			if slices.ContainsFunc(c.mine, func(own rspec.Mount) bool { return reflect.DeepEqual(own, m) }) {
				at = "*" + m.Type + ":" + at
			}
			got = append(got, at)
		}
		equal(t, "mounts", strings.Join(got, " "), c.want)
		equal(t, "the caller's order", c.mine, given)
	}
}

func TestMountPoints(t *testing.T) {
	spec := &rspec.Spec{Mounts: []rspec.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/b//c/", Type: "bind", Source: "/host/c"},
		{Destination: "/../../a", Type: "none", Source: "/host/a", Options: []string{"rbind"}},
		{Destination: "relative/x", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/b-c", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/proc/", Type: "bind", Source: "/second"},
		{Destination: "/", Type: "tmpfs"},
	}}
	equal(t, "mount points", MountPoints(spec), []MountPoint{
		{Path: "a", Source: "/host/a"},
		{Path: "b-c"},
		{Path: "b/c", Source: "/host/c"},
		{Path: "proc", NoSymlink: true},
		{Path: "relative/x"},
	})
	if got := MountPoints(&rspec.Spec{}); len(got) != 0 {
		t.Errorf("no mounts: got %v", got)
	}
}

func TestWorkingDir(t *testing.T) {
	spec := mustNew(t, testImage(ispec.ImageConfig{Volumes: map[string]struct{}{"/data": {}}}), Accounts{}, Options{})
	for cwd, want := range map[string]string{
		"/": "", "/srv/app": "srv/app", "/srv//app/": "srv/app", "/../a/../b": "b", "/datas": "datas",
		"/data": "", "/data/work": "", "/proc": "", "/proc/self": "", "/dev/x": "", "/sys/x": "", "/process": "process",
	} {
		spec.Process.Cwd = cwd
		if got := WorkingDir(spec); got != want {
			t.Errorf("cwd %q: got %q, want %q", cwd, got, want)
		}
	}
	if got := WorkingDir(&rspec.Spec{}); got != "" {
		t.Errorf("no process: got %q", got)
	}
}
