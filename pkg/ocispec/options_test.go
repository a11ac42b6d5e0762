package ocispec

import (
	"math"
	"reflect"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

func TestDefaultSpec(t *testing.T) {
	spec := mustNew(t, testImage(ispec.ImageConfig{}), Accounts{}, Options{})
	if spec.Version != "1.0.2" || spec.Root.Path != "rootfs" || spec.Root.Readonly || spec.Hostname != "" {
		t.Errorf("version %q, root %+v, hostname %q", spec.Version, spec.Root, spec.Hostname)
	}
	if p := spec.Process; !p.NoNewPrivileges || p.Terminal || p.Rlimits[0] != (rspec.POSIXRlimit{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}) {
		t.Errorf("process: %+v", p)
	}
	for _, m := range spec.Mounts {
		if m.Destination == "/run" {
			t.Error("a mount on /run hides what the image has there")
		}
	}
	var namespaces []string
	for _, ns := range spec.Linux.Namespaces {
		namespaces = append(namespaces, string(ns.Type))
	}
	equal(t, "namespaces", strings.Join(namespaces, " "), "pid ipc uts mount network cgroup")
	if first := spec.Linux.Resources.Devices[0]; first.Allow || first.Access != "rwm" || first.Type != "" {
		t.Errorf("the first device rule does not deny all: %+v", first)
	}
	if spec.Linux.Seccomp != nil {
		t.Error("a filter that nobody asked for")
	}
}

func TestOptionsChangeTheSpec(t *testing.T) {
	spec := mustNew(t, testImage(ispec.ImageConfig{}), Accounts{}, Options{
		Hostname: strings.Repeat("h", MaxHostname), TTY: true, ReadOnly: true, NoNewPrivileges: new(false),
		Memory: 64 << 20, CPUs: 1.5, PidsLimit: -1, OCIVersion: "1.2.1-rc.1+dev",
	})
	r := spec.Linux.Resources
	if len(spec.Hostname) != 64 || !spec.Process.Terminal || !spec.Root.Readonly || spec.Process.NoNewPrivileges {
		t.Errorf("hostname %q, root %+v, process %+v", spec.Hostname, spec.Root, spec.Process)
	}
	if *r.Memory.Limit != 64<<20 || *r.CPU.Quota != 150_000 || *r.CPU.Period != 100_000 || *r.Pids.Limit != -1 {
		t.Errorf("memory %d, CPU %d of %d, pids %d", *r.Memory.Limit, *r.CPU.Quota, *r.CPU.Period, *r.Pids.Limit)
	}
	equal(t, "ociVersion", spec.Version, "1.2.1-rc.1+dev")
}

func TestOptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{UserGroups: "podman"}, `user groups "podman"`},
		{Options{Volumes: "bind"}, `volumes "bind"`},
		{Options{Args: []string{"", "x"}}, `process.args of ["" "x"]: the command is an empty string`},
		{Options{Hostname: strings.Repeat("h", 65)}, "over 64 bytes"},
		{Options{Hostname: "a\x00b"}, `writing hostname "a\x00b"`},
		{Options{Args: []string{"\xff"}}, `writing args "\xff": not UTF-8`},
		{Options{Mounts: []rspec.Mount{{Destination: "/a", Options: []string{"\xff"}}}}, `writing mounts "\xff"`},
		{Options{Annotations: map[string]string{"": "x"}}, "a key is empty"},
		{Options{Annotations: map[string]string{"x": "\xff"}}, `writing annotation "x=\xff"`},
		{Options{OCIVersion: "1.0"}, `OCI version "1.0"`},
		{Options{OCIVersion: "v1.0.2"}, `OCI version "v1.0.2"`},
		{Options{Memory: -1}, "memory -1"},
		{Options{CPUs: 0.001}, "CPUs 0.001: want a number from 0.01 to 1e+06"},
		{Options{CPUs: -1}, "CPUs -1"},
		{Options{CPUs: math.NaN()}, "CPUs NaN"},
		{Options{CPUs: math.Inf(1)}, "CPUs +Inf"},
		{Options{PidsLimit: -2}, "pids limit -2"},
		{Options{CapAdd: []string{"FOO"}}, `adding capability "FOO": unknown`},
		{Options{CapDrop: []string{""}}, `dropping capability "": unknown`},
		{Options{Seccomp: "strict"}, `seccomp "strict"`},
		{Options{Seccomp: "none", SeccompProfile: &rspec.LinuxSeccomp{}}, "a profile of one's own"},
		{Options{Mounts: []rspec.Mount{{Destination: "data"}}}, `mount "data": want an absolute path`},
		{Options{Mounts: []rspec.Mount{{Destination: "/x/.."}}}, `mount "/x/..": want an absolute path below /`},
		{Options{Mounts: []rspec.Mount{{Destination: "/a"}, {Destination: "/b/../a/"}}}, `mount "/b/../a/": mounted on twice`},
		{Options{Rootless: &HostUser{}, Memory: 1}, "cannot be limited there"},
		{Options{Rootless: &HostUser{}, User: "5:6"}, "user 5:6"},
		{Options{Rootless: &HostUser{}, User: "0:6"}, "user 0:6"},
	} {
		_, err := New(testImage(ispec.ImageConfig{}), Accounts{}, c.o)
		wantError(t, c.want, err, c.want)
	}
}

// TestOptionsCheck: what is wrong with every image is said without one, in the
// words of New.
func TestOptionsCheck(t *testing.T) {
	if err := (Options{User: "app:staff", Cwd: "/", Env: []string{"A"}, CapAdd: []string{"ALL"}}).Check(); err != nil {
		t.Errorf("options that some image takes: %v", err)
	}
	for _, o := range []Options{
		{UserGroups: "podman"}, {Hostname: strings.Repeat("h", 65)}, {OCIVersion: "1"}, {Memory: -1},
		{CapAdd: []string{"FOO"}}, {CapDrop: []string{""}}, {Mounts: []rspec.Mount{{Destination: "/"}}},
		{Mounts: []rspec.Mount{{Destination: "/a"}, {Destination: "/a/"}}},
		{Cwd: "a"}, {Env: []string{"=x"}}, {User: ":1"}, {User: "1:2:3"}, {User: "2147483648"}, {User: "app:-1"},
	} {
		_, want := New(testImage(ispec.ImageConfig{}), Accounts{Passwd: []byte("app:x:1:1::/:")}, o)
		if err := o.Check(); err == nil || want == nil || err.Error() != want.Error() {
			t.Errorf("%+v: %v, and by New %v", o, err, want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	all := strings.Join(allCapabilities, " ")
	base := strings.Join(defaultCapabilities, " ")
	for _, c := range []struct{ add, drop, want string }{
		{"", "", base},
		{"net_raw", "", base},
		{"", "CAP_CHOWN cap_mknod", strings.ReplaceAll(strings.Replace(base, "CAP_CHOWN ", "", 1), "CAP_MKNOD ", "")},
		{"Net_Admin", "all", "CAP_NET_ADMIN"},
		{"SYS_ADMIN NET_ADMIN", "ALL", "CAP_NET_ADMIN CAP_SYS_ADMIN"},
		{"ALL", "", all},
		{"ALL", "CHOWN", strings.Replace(all, "CAP_CHOWN ", "", 1)},
		{"ALL", "ALL", ""},
		{"", "ALL", ""},
		{"BPF", "BPF", base},
	} {
		got, err := capabilities(strings.Fields(c.add), strings.Fields(c.drop))
		if err != nil {
			t.Errorf("add %q, drop %q: %v", c.add, c.drop, err)
		}
		equal(t, "add "+c.add+", drop "+c.drop, strings.Join(got, " "), c.want)
	}
	// No capability at all is said, and not left to the runtime's default.
	spec := mustNew(t, testImage(ispec.ImageConfig{}), Accounts{}, Options{CapDrop: []string{"ALL"}})
	if spec.Process.Capabilities == nil {
		t.Error("drop ALL: no capabilities object")
	}
}

func TestRootless(t *testing.T) {
	bind := rspec.Mount{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"uid=5", "size=1k"}}
	given := []rspec.Mount{bind}
	spec := mustNew(t, testImage(ispec.ImageConfig{}), Accounts{}, Options{Rootless: &HostUser{UID: 1000, GID: 100}, Mounts: given})
	l := spec.Linux
	equal(t, "uid mapping", l.UIDMappings, []rspec.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}})
	equal(t, "gid mapping", l.GIDMappings, []rspec.LinuxIDMapping{{ContainerID: 0, HostID: 100, Size: 1}})
	if l.Resources != nil {
		t.Error("a rootless spec has cgroup limits")
	}
	var namespaces []string
	for _, ns := range l.Namespaces {
		namespaces = append(namespaces, string(ns.Type))
	}
	equal(t, "namespaces", strings.Join(namespaces, " "), "pid ipc uts mount cgroup user")
	for _, m := range spec.Mounts {
		options := strings.Join(m.Options, ",")
		if strings.Contains(options, "gid=") || strings.Contains(options, "uid=") {
			t.Errorf("mount %q names an id that is not mapped: %s", m.Destination, options)
		}
		if m.Destination == "/sys" && (m.Type != "none" || m.Source != "/sys" || options != "rbind,nosuid,noexec,nodev,ro") {
			t.Errorf("/sys: %+v", m)
		}
	}
	if !reflect.DeepEqual(given[0].Options, []string{"uid=5", "size=1k"}) {
		t.Error("New changed the caller's mounts")
	}
}

func TestLowestVersion(t *testing.T) {
	own := func(s rspec.LinuxSeccomp) Options { return Options{SeccompProfile: &s} }
	allow := rspec.LinuxSeccomp{DefaultAction: rspec.ActAllow, Architectures: []rspec.Arch{rspec.ArchX86_64}}
	mapped := rspec.Mount{Destination: "/a", UIDMappings: []rspec.LinuxIDMapping{{Size: 1}}}
	for _, c := range []struct {
		name, arch, want string
		o                Options
	}{
		{"plain", "amd64", "1.0.2", Options{}},
		{"everything old", "amd64", "1.0.2", Options{TTY: true, Memory: 1, CPUs: 1, PidsLimit: 1, Rootless: nil, Hostname: "h"}},
		{"rootless", "amd64", "1.0.2", Options{Rootless: &HostUser{}}},
		{"own filter", "amd64", "1.0.2", own(allow)},
		{"clone3 has an errno", "amd64", "1.1.0", Options{Seccomp: "default"}},
		{"no clone3 rule", "amd64", "1.0.2", Options{Seccomp: "default", CapAdd: []string{"SYS_ADMIN"}}},
		{"riscv64", "riscv64", "1.1.0", Options{Seccomp: "default", CapAdd: []string{"SYS_ADMIN"}}},
		{"loong64", "loong64", "1.2.1", Options{Seccomp: "default"}},
		{"kill process", "amd64", "1.1.0", own(rspec.LinuxSeccomp{DefaultAction: rspec.ActKillProcess})},
		{"default errno", "amd64", "1.1.0", own(rspec.LinuxSeccomp{DefaultAction: rspec.ActErrno, DefaultErrnoRet: new(uint(1))})},
		{"mapped mount", "amd64", "1.1.0", Options{Mounts: []rspec.Mount{mapped}}},
		{"idmap option", "amd64", "1.2.0", Options{Mounts: []rspec.Mount{{Destination: "/a", Options: []string{"ridmap"}}}}},
	} {
		img := testImage(ispec.ImageConfig{})
		img.Architecture = c.arch
		equal(t, c.name, mustNew(t, img, Accounts{}, c.o).Version, c.want)
	}
}

func TestMarshalIsDeterministic(t *testing.T) {
	img := testImage(ispec.ImageConfig{Cmd: []string{"sh", "-c", "a && b > c"}, Labels: map[string]string{}})
	for _, key := range strings.Split("qwertyuiopasdfghjkl", "") {
		img.Config.Labels[key] = key
	}
	first, err := Marshal(mustNew(t, img, Accounts{}, Options{}))
	if err != nil || !strings.HasSuffix(string(first), "\n}\n") || !strings.Contains(string(first), `"a && b > c"`) {
		t.Errorf("Marshal: %v, %q", err, first)
	}
	for range 20 {
		again, err := Marshal(mustNew(t, img, Accounts{}, Options{}))
		if err != nil || string(again) != string(first) {
			t.Fatalf("two different texts of one spec: %v", err)
		}
	}
}
