package ocispec

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// The tests of this file are the rules of image-spec's conversion.md, one by
// one, under its headings.

func testImage(config ispec.ImageConfig) ispec.Image {
	if config.Entrypoint == nil && config.Cmd == nil {
		config.Cmd = []string{"/bin/sh"}
	}
	return ispec.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ispec.RootFS{Type: "layers"},
		Config:   config,
	}
}

func mustNew(t *testing.T, img ispec.Image, acc Accounts, o Options) *rspec.Spec {
	t.Helper()
	spec, err := New(img, acc, o)
	if err != nil {
		t.Fatalf("New(%+v): %v", img.Config, err)
	}
	return spec
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %q\nwant %q", what, got, want)
	}
}

// wantError holds that err is one line that has all the parts.
func wantError(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %q", what, parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %q lacks %q", what, err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: error of several lines: %q", what, err)
	}
}

func TestVerbatimFieldsWorkingDir(t *testing.T) {
	for _, c := range []struct{ image, option, want, fails string }{
		{"", "", "/", ""},
		{"/srv/app", "", "/srv/app", ""},
		{"/srv//app/", "", "/srv//app/", ""},
		{"/srv", "/tmp", "/tmp", ""},
		{"srv", "/tmp", "/tmp", ""},
		{"srv", "", "", `reading the image's WorkingDir "srv": not an absolute path`},
		{"", "tmp", "", `reading cwd "tmp": not an absolute path`},
	} {
		spec, err := New(testImage(ispec.ImageConfig{WorkingDir: c.image}), Accounts{}, Options{Cwd: c.option})
		if c.fails != "" {
			wantError(t, c.image+" "+c.option, err, c.fails)
			continue
		}
		if err != nil {
			t.Errorf("WorkingDir %q: %v", c.image, err)
			continue
		}
		equal(t, "cwd of "+c.image, spec.Process.Cwd, c.want)
	}
}

func TestVerbatimFieldsEnv(t *testing.T) {
	const path, home = "PATH=" + defaultPath, "HOME=/"
	for _, c := range []struct {
		name           string
		image, options []string
		tty            bool
		want           []string
	}{
		{"none", nil, nil, false, []string{path, home}},
		{"a space and other letters in a name, = in a value", []string{"A B=1", "ö=", "C==", "D=a=b", " E=1"}, nil, false, []string{"A B=1", "ö=", "C==", "D=a=b", " E=1", path, home}},
		{"no runtime takes these", []string{"ALONE", "A=1", "=x", "", "=", "B\x00=1", "C=\x00"}, nil, false, []string{"A=1", path, home}},
		{"the last one of a name, in the first one's place", []string{"A=1", "B=2", "A=", "A=3"}, nil, false, []string{"A=3", "B=2", path, home}},
		{"one without a value unsets nothing", []string{"A=1", "A", "PATH", "HOME"}, nil, false, []string{"A=1", path, home}},
		{"option gives one without a value", []string{"ALONE"}, []string{"ALONE=1"}, false, []string{path, home, "ALONE=1"}},
		{"PATH is not replaced", []string{"PATH=/x"}, nil, false, []string{"PATH=/x", home}},
		{"an empty PATH is a PATH", []string{"PATH=", "HOME="}, nil, false, []string{"PATH=", "HOME="}},
		{"PATHS is no PATH", []string{"PATHS=/x"}, nil, false, []string{"PATHS=/x", path, home}},
		{"TERM for a terminal", nil, nil, true, []string{path, home, "TERM=xterm"}},
		{"TERM is not replaced", []string{"TERM=vt100"}, nil, true, []string{"TERM=vt100", path, home}},
		{"option adds", []string{"A=1"}, []string{"B=2"}, false, []string{"A=1", path, home, "B=2"}},
		{"option replaces in place", []string{"A=1", "B=2", "A=3"}, []string{"A=4"}, false, []string{"A=4", "B=2", path, home}},
		{"the last option wins", nil, []string{"A=1", "A=2"}, false, []string{path, home, "A=2"}},
		{"option removes", []string{"A=1", "B=2"}, []string{"A"}, false, []string{"B=2", path, home}},
		{"option removes a default", nil, []string{"PATH", "HOME=/h"}, false, []string{"HOME=/h"}},
	} {
		o := Options{Env: c.options, TTY: c.tty}
		spec := mustNew(t, testImage(ispec.ImageConfig{Env: c.image}), Accounts{}, o)
		equal(t, c.name, spec.Process.Env, c.want)
	}
	_, err := New(testImage(ispec.ImageConfig{}), Accounts{}, Options{Env: []string{"=x"}})
	wantError(t, "no name", err, `reading env "=x"`)
}

func TestVerbatimFieldsEntrypointAndCmd(t *testing.T) {
	for _, c := range []struct {
		name                  string
		entry, cmd, args, all []string
	}{
		{"Entrypoint alone", []string{"/e", "1"}, nil, nil, []string{"/e", "1"}},
		{"Cmd alone", nil, []string{"/c", "2"}, nil, []string{"/c", "2"}},
		{"Cmd appended to Entrypoint", []string{"/e", "1"}, []string{"2", ""}, nil, []string{"/e", "1", "2", ""}},
		{"an empty string is no Entrypoint", []string{""}, []string{"/c", "2"}, nil, []string{"/c", "2"}},
		{"an Entrypoint with an empty argument", []string{"/e", ""}, []string{"2"}, nil, []string{"/e", "", "2"}},
		{"a list of nothing is no Entrypoint", []string{}, []string{"/c"}, nil, []string{"/c"}},
		{"Args instead of an empty Entrypoint", []string{""}, nil, []string{"/bin/id"}, []string{"/bin/id"}},
		{"Args instead of empty strings", []string{"", ""}, []string{""}, []string{"/bin/id", ""}, []string{"/bin/id", ""}},
		{"Args instead of both", []string{"/e"}, []string{"2"}, []string{"/bin/id", "-u"}, []string{"/bin/id", "-u"}},
	} {
		img := testImage(ispec.ImageConfig{Entrypoint: c.entry, Cmd: c.cmd})
		equal(t, c.name, mustNew(t, img, Accounts{}, Options{Args: c.args}).Process.Args, c.all)
	}
	for _, c := range []struct {
		name             string
		entry, cmd, args []string
		want             error
	}{
		{"nothing", nil, []string{}, nil, ErrNoArgs},
		{"an empty Entrypoint alone", []string{""}, nil, nil, ErrNoArgs},
		{"two empty strings", []string{"", ""}, []string{"/c"}, nil, ErrEmptyCommand},
		{"an empty string before a program", []string{"", "/e"}, nil, nil, ErrEmptyCommand},
		{"an empty Cmd", nil, []string{""}, nil, ErrEmptyCommand},
		{"an empty Entrypoint and Cmd", []string{""}, []string{""}, nil, ErrEmptyCommand},
		{"an empty argument of the user's", []string{"/e"}, nil, []string{""}, ErrEmptyCommand},
	} {
		img := testImage(ispec.ImageConfig{Entrypoint: c.entry, Cmd: c.cmd})
		if _, err := New(img, Accounts{}, Options{Args: c.args}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAnnotationFields(t *testing.T) {
	created := time.Date(2024, 2, 29, 12, 30, 0, 500, time.FixedZone("", 7200))
	full := testImage(ispec.ImageConfig{
		StopSignal: "SIGRTMIN+3",
		Labels:     map[string]string{"maintainer": "M & Co <m@example.org>", "empty": ""},
	})
	full.Created, full.Author = &created, "A. Uthor"
	full.Platform = ispec.Platform{
		OS: "linux", Architecture: "arm", Variant: "v7", OSVersion: "6.1", OSFeatures: []string{"f2", "f1"},
	}
	equal(t, "all fields", mustNew(t, full, Accounts{}, Options{}).Annotations, map[string]string{
		"org.opencontainers.image.os":           "linux",
		"org.opencontainers.image.architecture": "arm",
		"org.opencontainers.image.variant":      "v7",
		"org.opencontainers.image.os.version":   "6.1",
		"org.opencontainers.image.os.features":  "f2,f1",
		"org.opencontainers.image.author":       "A. Uthor",
		"org.opencontainers.image.created":      "2024-02-29T12:30:00.0000005+02:00",
		"org.opencontainers.image.stopSignal":   "SIGRTMIN+3",
		"maintainer":                            "M & Co <m@example.org>",
		"empty":                                 "",
	})

	absent := map[string]string{
		"org.opencontainers.image.os":           "linux",
		"org.opencontainers.image.architecture": "amd64",
	}
	bare := testImage(ispec.ImageConfig{})
	equal(t, "absent stays absent", mustNew(t, bare, Accounts{}, Options{}).Annotations, absent)
	bare.Created = new(time.Time)
	equal(t, "no zero date", mustNew(t, bare, Accounts{}, Options{}).Annotations, absent)
}

func TestAnnotationsPrecedence(t *testing.T) {
	const os, ports = "org.opencontainers.image.os", "org.opencontainers.image.exposedPorts"
	img := testImage(ispec.ImageConfig{
		Labels:       map[string]string{os: "", ports: "none", "a": "label"},
		ExposedPorts: map[string]struct{}{"80/tcp": {}},
	})
	got := mustNew(t, img, Accounts{}, Options{Annotations: map[string]string{"a": "option", "b": "option"}}).Annotations
	for key, want := range map[string]string{os: "", ports: "none", "a": "option", "b": "option"} {
		if value, found := got[key]; !found || value != want {
			t.Errorf("annotation %q: got %q (there: %v), want %q", key, value, found, want)
		}
	}
	if img.Config.Labels["a"] != "label" {
		t.Error("New changed the image's labels")
	}
}

// runtime-spec forbids an empty key, which nothing forbids a label to have.
func TestLabelWithAnEmptyKey(t *testing.T) {
	spec := mustNew(t, testImage(ispec.ImageConfig{Labels: map[string]string{"": "v", "a": "label"}}), Accounts{}, Options{})
	if _, found := spec.Annotations[""]; found || spec.Annotations["a"] != "label" {
		t.Errorf("annotations: got %q", spec.Annotations)
	}
	config, err := Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(config); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func TestConfigExposedPorts(t *testing.T) {
	for _, c := range []struct {
		ports []string
		want  string
	}{
		{nil, ""},
		{[]string{"80/tcp"}, "80/tcp"},
		{[]string{"8080/tcp", "53/udp", "443", "53/tcp"}, "443,53/tcp,53/udp,8080/tcp"},
	} {
		ports := map[string]struct{}{}
		for _, p := range c.ports {
			ports[p] = struct{}{}
		}
		spec := mustNew(t, testImage(ispec.ImageConfig{ExposedPorts: ports}), Accounts{}, Options{})
		got, found := spec.Annotations["org.opencontainers.image.exposedPorts"]
		if got != c.want || found != (c.want != "") {
			t.Errorf("ports %q: got %q (there: %v), want %q", c.ports, got, found, c.want)
		}
	}
}

func TestOptionalFieldsVolumes(t *testing.T) {
	volumes := map[string]struct{}{"/var/lib/db/": {}, "/data": {}, "/var": {}, "/dev/shm": {}, "/var/lib/db": {}, "/logs": {}}
	spec := mustNew(t, testImage(ispec.ImageConfig{Volumes: volumes}), Accounts{}, Options{
		Mounts: []rspec.Mount{{Destination: "/logs", Type: "bind", Source: "/srv/logs", Options: []string{"rbind"}}},
	})
	var got []string
	for _, m := range spec.Mounts[len(defaultMounts()):] {
		got = append(got, m.Destination+" "+m.Type+" "+strings.Join(m.Options, ","))
	}
	equal(t, "volumes sorted, a parent first, the user's mount instead of one", got, []string{
		"/data tmpfs nosuid,nodev,tmpcopyup",
		"/logs bind rbind",
		"/var tmpfs nosuid,nodev,tmpcopyup",
		"/var/lib/db tmpfs nosuid,nodev,tmpcopyup",
	})

	img := testImage(ispec.ImageConfig{Volumes: map[string]struct{}{"/data": {}}, User: "1000:5"})
	mounts := mustNew(t, img, Accounts{}, Options{}).Mounts
	equal(t, "a volume belongs to who is not root", mounts[len(mounts)-1].Options,
		[]string{"nosuid", "nodev", "tmpcopyup", "uid=1000", "gid=5"})

	none := mustNew(t, testImage(ispec.ImageConfig{Volumes: volumes}), Accounts{}, Options{Volumes: VolumesNone}).Mounts
	equal(t, "none", len(none), len(defaultMounts()))
	_, err := New(testImage(ispec.ImageConfig{}), Accounts{}, Options{Volumes: "bind"})
	wantError(t, "unknown", err, `reading volumes "bind": want "tmpfs" or "none"`)
}

func TestRootfsType(t *testing.T) {
	for _, kind := range []string{"", "erofs", "LAYERS"} {
		img := testImage(ispec.ImageConfig{})
		img.RootFS.Type = kind
		_, err := New(img, Accounts{}, Options{})
		wantError(t, kind, err, `rootfs.type "`+kind+`"`)
	}
}

func TestOS(t *testing.T) {
	for os, fails := range map[string]bool{"": false, "linux": false, "windows": true, "freebsd": true} {
		img := testImage(ispec.ImageConfig{})
		img.OS = os
		_, err := New(img, Accounts{}, Options{})
		if fails {
			wantError(t, os, err, `os "`+os+`": only linux`)
		} else if err != nil {
			t.Errorf("os %q: %v", os, err)
		}
	}
}
