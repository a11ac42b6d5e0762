package integration_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/ociruntime"
	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/probe"
)

// Capability sets as /proc/self/status shows them (capabilities(7)).
const (
	noCapabilities      = "0000000000000000"
	defaultCapabilities = "00000000a80425fb"
	netBindService      = "0000000000000400"
	withSysAdmin        = "00000000a82425fb"
)

// denyKeyctl is a seccomp profile of a user's own.
const denyKeyctl = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO"}]}`

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// start is an image, how it becomes a bundle, and what is seen from inside.
type start struct {
	image imagetest.Image
	flags []string
	// args are the process's arguments instead of the image's.
	args []string
	// rootless starts the bundle by a user without privilege.
	rootless bool
	// links says of a mount's destination where it lies, if not there.
	links       map[string]string
	annotations map[string]string
	want        seen
	// check is given the runtime's name, too.
	check func(*testing.T, string, *probe.State)
}

// starts are the images of issue 4, item 7, and more.
func starts(t *testing.T) map[string]start {
	t.Helper()
	all := userStarts(t)
	for _, more := range []map[string]start{rootStarts(t), flagStarts(t), distributionStarts(t), oddStarts(t)} {
		maps.Copy(all, more)
	}
	return all
}

// userStarts are of images that say who they run as.
func userStarts(t *testing.T) map[string]start {
	t.Helper()
	layers := []imagetest.Layer{probeLayer(t), accounts()}
	as := func(user string) imagetest.Image { return imageOf(ispec.ImageConfig{User: user}, layers...) }
	sees := func(id, home string) seen {
		v := seen{ID: id, Env: []string{defaultPath, "HOME=" + home}}
		if !strings.HasPrefix(id, "0:") {
			// A program that is not root's loses them by execve (capabilities(7)).
			v.Effective = noCapabilities
		}
		return v
	}
	return map[string]start{
		"no user":                        {image: as(""), want: sees("0:0 []", "/root")},
		"named user, in groups":          {image: as("app"), want: sees("1000:1001 [29 50]", "/srv/app")},
		"named user and group":           {image: as("app:staff"), want: sees("1000:50 []", "/srv/app")},
		"uid:gid":                        {image: as("1234:5678"), want: sees("1234:5678 []", "/")},
		"uid of passwd":                  {image: as("1000"), want: sees("1000:1001 []", "/srv/app")},
		"uid of passwd, docker's groups": {image: as("1000"), flags: []string{"--user-groups=docker"}, want: sees("1000:1001 [29 50]", "/srv/app")},
		"uid that passwd lacks":          {image: as("1234"), want: sees("1234:0 []", "/")},
		"--user":                         {image: as("1234"), flags: []string{"--user", "app:audio"}, want: sees("1000:29 []", "/srv/app")},
		"workdir and env": {
			image: imageOf(ispec.ImageConfig{User: "app", WorkingDir: "/srv/app", Env: []string{"PATH=/bin", "A=b c", "EMPTY="}}, layers...),
			flags: []string{"--env", "EMPTY=no more", "--env", "B"},
			want: seen{ID: "1000:1001 [29 50]", Cwd: "/srv/app", Effective: noCapabilities,
				Env: []string{"PATH=/bin", "A=b c", "EMPTY=no more", "HOME=/srv/app"}},
		},
	}
}

// rootStarts are of images whose root filesystem matters.
func rootStarts(t *testing.T) map[string]start {
	t.Helper()
	probe := probeLayer(t)
	one := imageOf(ispec.ImageConfig{}, probe)
	return map[string]start{
		"one static binary": {image: one},
		"one static binary, read-only": {
			image: imageOf(ispec.ImageConfig{Cmd: []string{"/"}}, probe), flags: []string{"--read-only"},
			want: seen{ReadOnly: true}, check: refused("/", "read-only file system"),
		},
		"volumes": {
			image: volumes(probe), links: map[string]string{"/var/run/sock": "/run/sock"},
			want:  seen{ID: "1000:1001 [29 50]", Effective: noCapabilities, Env: []string{defaultPath, "HOME=/srv/app"}},
			check: checkVolumes,
		},
		"volumes, read-only": {
			image: volumes(probe), links: map[string]string{"/var/run/sock": "/run/sock"}, flags: []string{"--read-only"},
			want:  seen{ID: "1000:1001 [29 50]", Effective: noCapabilities, ReadOnly: true, Env: []string{defaultPath, "HOME=/srv/app"}},
			check: checkVolumes,
		},
		"no workdir, read-only": {
			image: imageOf(ispec.ImageConfig{WorkingDir: "/not/there"}, probe), flags: []string{"--read-only"},
			want: seen{ReadOnly: true, Cwd: "/not/there"},
		},
		"volumes behind symlinks": {
			image: imageOf(ispec.ImageConfig{Cmd: []string{"/a", "/b"}, Volumes: map[string]struct{}{"/a": {}, "/b": {}}}, probe,
				imagetest.Layer{imagetest.Symlink("a", "/real"), imagetest.Dir("real", 0o755), imagetest.Symlink("b", "missing/dir")}),
			links: map[string]string{"/a": "/real", "/b": "/missing/dir"},
			check: refused("/b", ""),
		},
		"stop signal, labels and ports": {
			image: imageOf(ispec.ImageConfig{StopSignal: "SIGUSR1", Labels: map[string]string{"a.b": "c"},
				ExposedPorts: map[string]struct{}{"80/tcp": {}, "443/tcp": {}}}, probe),
			annotations: map[string]string{
				"org.opencontainers.image.stopSignal": "SIGUSR1", "a.b": "c", "org.opencontainers.image.exposedPorts": "443/tcp,80/tcp",
			},
		},
		"etc of links, as NixOS has it": {
			image: imageOf(ispec.ImageConfig{User: "app"}, probe, imagetest.Layer{
				imagetest.Symlink("etc", "/nix/etc"), imagetest.Dir("nix", 0o755), imagetest.Dir("nix/etc", 0o755),
				imagetest.Symlink("nix/etc/passwd", "/nix/passwd"), imagetest.File("nix/passwd", 0o644, "app:x:7:8::/home:\n"),
				imagetest.Symlink("nix/etc/group", "../group"), imagetest.File("nix/group", 0o644, "wheel:x:9:app\n"),
			}),
			want: seen{ID: "7:8 [9]", Effective: noCapabilities, Env: []string{defaultPath, "HOME=/home"}},
		},
	}
}

// flagStarts are of one image, with the flags of bundle and spec.
func flagStarts(t *testing.T) map[string]start {
	t.Helper()
	probe := probeLayer(t)
	one := imageOf(ispec.ImageConfig{}, probe)
	all, dropped := everyCapability(t)
	host := writeFile(t, "host.txt", []byte("the host's"))
	return map[string]start{
		"--tty":      {image: one, flags: []string{"--tty"}, want: seen{Terminal: true, Env: []string{defaultPath, "HOME=/", "TERM=xterm"}}},
		"--rootless": {image: one, rootless: true},
		"--seccomp default": {
			image: one, flags: []string{"--seccomp", "default"},
			want: seen{Seccomp: "2", Denied: []string{"keyctl: EPERM", "clone3: ENOSYS", "unshare: EPERM"}},
		},
		"--seccomp default with CAP_SYS_ADMIN": {
			image: one, flags: []string{"--seccomp", "default", "--cap-add", "CAP_SYS_ADMIN"},
			want: seen{Seccomp: "2", Denied: []string{"keyctl: EPERM"}, Effective: withSysAdmin, Bounding: withSysAdmin},
		},
		"--seccomp FILE": {
			image: one, flags: []string{"--seccomp", writeFile(t, "profile.json", []byte(denyKeyctl))},
			want: seen{Seccomp: "2", Denied: []string{"keyctl: EPERM"}},
		},
		"--cap-drop ALL": {
			image: one, flags: []string{"--cap-drop", "ALL", "--cap-add", "CAP_NET_BIND_SERVICE"},
			want: seen{Effective: netBindService, Bounding: netBindService},
		},
		"--cap-add ALL": {
			image: one, flags: append([]string{"--cap-add", "ALL"}, dropped...), want: seen{Effective: all, Bounding: all},
		},
		"--hostname, --cwd, --no-new-privileges": {
			image: one, flags: []string{"--hostname", "inside", "--cwd", "/proc", "--no-new-privileges=false"},
			want: seen{Hostname: "inside", Cwd: "/proc", NoNewPrivs: "0"},
		},
		"--mount": {
			image: one, args: []string{"/probe", "/mnt/file", "/scratch"},
			flags: []string{"--mount", "type=bind,source=" + host + ",target=/mnt/file,readonly", "--mount", "type=tmpfs,target=/scratch,tmpfs-mode=0750"},
			check: checkMounts,
		},
		"limits": {
			image: one, args: []string{"/probe", "/sys/fs/cgroup"},
			flags: []string{"--memory", "64m", "--cpus", "0.5", "--pids-limit", "50",
				"--mount", "type=bind,source=/sys/fs/cgroup,target=/sys/fs/cgroup,readonly"},
			check: checkLimits,
		},
	}
}

// distributionStarts are of root filesystems that people use.
func distributionStarts(t *testing.T) map[string]start {
	t.Helper()
	probe := probeLayer(t)
	box := imagetest.Layer{imagetest.Dir("bin", 0o755), busybox(t), imagetest.Symlink("bin/sh", "busybox")}
	return map[string]start{
		"busybox": {
			image: imageOf(ispec.ImageConfig{Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"cd /bin; A=b exec /probe"}}, box, probe),
			want:  seen{Cwd: "/bin", Env: []string{"SHLVL=1", "HOME=/", "OLDPWD=/", "A=b", defaultPath, "PWD=/bin"}},
		},
		"debian": {
			image: imageOf(ispec.ImageConfig{User: "www-data", WorkingDir: "/var", Entrypoint: []string{"/usr/bin/env", "--"}, Cmd: []string{"/probe"}}, debianLayer(t), probe),
			want:  seen{ID: "33:33 []", Cwd: "/var", Effective: noCapabilities, Env: []string{defaultPath, "HOME=/var/www"}},
		},
	}
}

// everyCapability is what this process itself could hand on: no runtime can
// grant more, so the rest is dropped by name.
func everyCapability(t *testing.T) (set string, drop []string) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "CapBnd:\t")
	set, _, _ = strings.Cut(rest, "\n")
	if set == "000001fffeffffff" { // all but 1<<24, which sandboxes take away
		drop = []string{"--cap-drop", "SYS_RESOURCE"}
	}
	return set, drop
}

// refused checks that no file can be made in a directory.
func refused(path, why string) func(*testing.T, string, *probe.State) {
	return func(t *testing.T, _ string, s *probe.State) {
		t.Helper()
		if got := s.Places[path].Refused; got != why {
			t.Errorf("making a file in %q: %q, want %q", path, got, why)
		}
	}
}

// checkVolumes: seeded from the image, and writable for the image's user.
func checkVolumes(t *testing.T, _ string, s *probe.State) {
	t.Helper()
	for path, names := range map[string][]string{"/data": {"seed"}, "/srv/new": nil, "/var/run/sock": nil} {
		place := s.Places[path]
		if !slices.Equal(place.Names, names) || place.Refused != "" || place.UID != 1000 || place.GID != 1001 {
			t.Errorf("volume %q: %+v, want names %q, writable, 1000:1001", path, place, names)
		}
	}
}

func checkMounts(t *testing.T, runtime string, s *probe.State) {
	t.Helper()
	if m := s.Mounts["/mnt/file"]; !strings.HasPrefix(m.Options, "ro") {
		t.Errorf("the bound file is mounted %q, want ro", m.Options)
	}
	if !s.Places["/mnt/file"].Mode.IsRegular() {
		t.Errorf("the bound file is %v", s.Places["/mnt/file"].Mode)
	}
	mode := os.FileMode(0o750)
	if runtime == ociruntime.OldRunc {
		mode = 0o755 // of the directory below it: docs/bundle.md, Between runtimes
	}
	if p := s.Places["/scratch"]; p.Mode.Perm() != mode || p.Refused != "" {
		t.Errorf("the tmpfs is %+v, want mode %v, writable", p, mode)
	}
}

// checkLimits wants the limits of either version of cgroups.
func checkLimits(t *testing.T, _ string, s *probe.State) {
	t.Helper()
	want := map[string][]string{
		"memory": {"67108864"}, "cpu": {"50000", "50000 100000"}, "pids": {"50"},
	}
	for what, values := range want {
		if !slices.Contains(values, s.Limits[what]) {
			t.Errorf("the limit of %s is %q, want %q", what, s.Limits[what], values)
		}
	}
}
