package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// TestContainerSpec makes bundles of a container by its image's config and by
// its own spec, and starts the latter.
func TestContainerSpec(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	d.Ctr(t, "containers", "create", "--env", "OF=the container", standardName, "web", "/usr/bin/hello", "from", "its", "spec")
	t.Cleanup(func() { removeContainer(t, d, "web") })
	for _, test := range []struct {
		source string
		args   string
		env    bool
	}{
		{"image", "/usr/bin/hello " + imagetest.Greeting, false},
		{"container", "/usr/bin/hello from its spec", true},
	} {
		var spec struct {
			Process struct{ Args, Env []string }
			Root    struct{ Path string }
		}
		text := ctrRootfs(t, "spec", "--address", d.Address, "--spec", test.source, "container:web").stdout
		if err := json.Unmarshal(text, &spec); err != nil {
			t.Fatal(err)
		}
		env := strings.Contains(strings.Join(spec.Process.Env, "|"), "OF=the container")
		if got := strings.Join(spec.Process.Args, " "); got != test.args || env != test.env || spec.Root.Path != "rootfs" {
			t.Errorf("--spec %s: args %q, env %q, root %+v", test.source, got, spec.Process.Env, spec.Root)
		}
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	ctrRootfs(t, "bundle", "--address", d.Address, "--spec", "container", "--format", "dir", "-o", bundle, "container:web")
	const want = "from its spec\nuser 1000:1000, directory /srv/app, pid 1\n"
	if got := runBundle(t, runtimes(t)[0], bundle); got != want {
		t.Errorf("the bundle printed %q, want %q", got, want)
	}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"a flag":    {[]string{"--spec", "container", "--tty", "container:web"}, "--tty would change it"},
		"arguments": {[]string{"--spec", "container", "container:web", "--", "/bin/sh"}, "arguments after -- would change it"},
		"an image":  {[]string{"--spec", "container", standardName}, "is no container and no pod"},
		"anything":  {[]string{"--spec", "any", "container:web"}, "it is image or container"},
	} {
		o := invocation{args: append([]string{"spec", "--address", d.Address}, test.args...)}.run(t)
		if o.status != 2 || !strings.Contains(o.stderr, test.says) {
			t.Errorf("%s: exit status %d\n%s", name, o.status, o.stderr)
		}
	}
}

// TestContainerSpecRoot makes a bundle of a container whose spec has its root
// somewhere on its host, as docker's containers do.
func TestContainerSpecRoot(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	d.Ctr(t, "containers", "create", standardName, "web", "/usr/bin/hello", "from", "its", "spec")
	t.Cleanup(func() { removeContainer(t, d, "web") })
	root, err := tools.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "absroot")
	if err := build(filepath.Join(root, "tools", "containerd"), program, "./absroot", "CGO_ENABLED=0"); err != nil {
		t.Fatal(err)
	}
	command(t, nil, program, d.Address, "web", "/run/docker/web/rootfs")
	if info := d.Ctr(t, "containers", "info", "web"); !strings.Contains(info, "/run/docker/web/rootfs") {
		t.Fatalf("the container has no such root, so this test sees nothing:\n%s", info)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	ctrRootfs(t, "bundle", "--address", d.Address, "--spec", "container", "--format", "dir", "-o", bundle, "container:web")
	const want = "from its spec\nuser 1000:1000, directory /srv/app, pid 1\n"
	if got := runBundle(t, runtimes(t)[0], bundle); got != want {
		t.Errorf("the bundle printed %q, want %q", got, want)
	}
}

// TestContainerWithoutImage exports a container whose image was removed, and
// one whose image's name stands for another image now.
func TestContainerWithoutImage(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	d.Ctr(t, "containers", "create", churnName, "web")
	t.Cleanup(func() { removeContainer(t, d, "web") })
	want := exported(t, d, "container:web")
	for name, change := range map[string]func(){
		"moved on": func() { d.Ctr(t, "images", "import", writeArchive(t, churnName, standard(t))) },
		"removed":  func() { d.Ctr(t, "images", "remove", "--sync", churnName) },
	} {
		change()
		meta := filepath.Join(t.TempDir(), "meta.json")
		if diff := listing.Diff(want, exported(t, d, "--metadata-file", meta, "container:web")); diff != "" {
			t.Errorf("%s: - before, + after:\n%s", name, diff)
		}
		if m := readMetadata(t, meta); m.Image != "" || m.Container != "web" {
			t.Errorf("%s: metadata %+v", name, m)
		}
		o := invocation{args: []string{"spec", "--address", d.Address, "container:web"}}.run(t)
		if o.status == 0 || bytes.Contains(o.stdout, []byte("usr/bin/hello")) {
			t.Errorf("%s: exit status %d, and config.json of another image:\n%s", name, o.status, o.stdout)
		}
		checkError(t, o.stderr, `"container:web"`, "is not known", "--spec container", "--config")
		ctrRootfs(t, "spec", "--address", d.Address, "--spec", "container", "container:web")
	}
}

// TestContainerUserNamespace has the owners of a container in a user namespace
// mapped back, running and stopped, and refuses an owner that cannot be.
func TestContainerUserNamespace(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	owned := imagetest.File("owned", 0o600, "").Own(1000, 42).Capability(1 << 13)
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t, owned)))
	// The container's root user has to reach its root.
	if err := os.Chmod(d.Dir, 0o711); err != nil {
		t.Fatal(err)
	}
	startWriter(t, d, []string{"--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536"}, "web")
	check := func(state string) {
		t.Helper()
		seen := map[string]bool{}
		for _, e := range exported(t, d, "container:web") {
			seen[e.Path] = true
			uid, gid := uint32(0), uint32(0)
			if e.Path == "owned" {
				uid, gid = 1000, 42
			}
			if e.UID != uid || e.GID != gid {
				t.Errorf("%s: %s", state, e)
			}
		}
		if !seen["owned"] || !seen["data/written"] {
			t.Errorf("%s: it has only %v", state, seen)
		}
	}
	check("running")
	foreign := filepath.Join(taskRoot(d, "web"), "data", "written")
	if err := os.Chown(foreign, 5, 200000); err != nil {
		t.Fatal(err)
	}
	o := invocation{args: []string{"export", "--address", d.Address, "-o", filepath.Join(t.TempDir(), "out.tar"), "container:web"}}.run(t)
	if o.status != 1 {
		t.Errorf("a foreign owner: exit status %d", o.status)
	}
	checkError(t, o.stderr, `mapping the owner of "data/written" back: uid 5 is outside of the user namespace`)
	if err := os.Chown(foreign, 100000, 200000); err != nil {
		t.Fatal(err)
	}
	stopContainer(t, d, "web")
	check("stopped")
}
