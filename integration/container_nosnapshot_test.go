package integration_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// checkContainerRoot exports container:name, and compares it, and how it was read,
// with what is in dir.
func checkContainerRoot(t *testing.T, d *daemon.Daemon, dir string, want exportedMetadata, args ...string) {
	t.Helper()
	there, err := listing.OfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(there.String(), `"data/written" file`) {
		t.Fatalf("the container has written nothing:\n%s", there)
	}
	meta := filepath.Join(t.TempDir(), "meta.json")
	if diff := listing.Diff(there, exported(t, d, append(args, "--metadata-file", meta)...)); diff != "" {
		t.Errorf("%q: - there, + tar:\n%s", args, diff)
	}
	got := readMetadata(t, meta)
	if got.Via != want.Via || got.Container != want.Container || got.Snapshotter != want.Snapshotter || got.Image != want.Image {
		t.Errorf("%q: metadata %+v, want %+v", args, got, want)
	}
}

// startOfDirectory has ctr start a container whose root is dir, without a snapshot,
// and waits until it has written a file there.
func startOfDirectory(t *testing.T, d *daemon.Daemon, dir, id string) {
	t.Helper()
	t.Cleanup(func() { removeContainer(t, d, id) })
	d.Ctr(t, "run", "--detach", "--null-io", "--rootfs", dir, id, "/churn", "/data/written", "by "+id)
	waitUntil(t, "container "+id+" has written its file", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "data", "written"))
		return err == nil && string(data) == "by "+id
	})
}

// containerOfADirectory exports a container of "ctr run --rootfs" while it runs and
// when it has stopped, and not what lies where its root was.
func containerOfADirectory(t *testing.T, d *daemon.Daemon) {
	const id = "of-a-directory"
	program, err := churnProgram()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "churn"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	startOfDirectory(t, d, dir, id)
	before := d.Left(t, "default", "overlayfs")
	running, stopped := exportedMetadata{Via: "task", Container: id}, exportedMetadata{Via: "directory", Container: id}
	checkContainerRoot(t, d, dir, running, "container:"+id)
	checkContainerRoot(t, d, dir, running, "--pause", "container:"+id)
	if got := taskStatus(t, d, id); got != "RUNNING" {
		t.Errorf("after --pause it is %s", got)
	}
	checkContainerRoot(t, d, dir, running, "--host-root", "/proc/self/root", "container:"+id)

	// Another directory lies at the path of the one that the process has.
	aside := dir + ".aside"
	refuse := func(what, dir string, says ...string) {
		t.Helper()
		o := invocation{args: []string{"export", "--address", d.Address, "-o", filepath.Join(t.TempDir(), "out.tar"), "container:" + id}}.run(t)
		if o.status != statusFailed {
			t.Errorf("%s: exit status %d", what, o.status)
		}
		checkError(t, o.stderr, append(says, `opening the root of container "`+id+`"`, `opening "`+dir+`"`)...)
	}
	replace := func(what, linked string, says ...string) {
		t.Helper()
		if err := os.Rename(dir, aside); err != nil {
			t.Fatal(err)
		}
		refuse(what+", gone", dir, "no such file or directory")
		if err := os.Symlink("/etc", dir); err != nil {
			t.Fatal(err)
		}
		refuse(what+", a symlink", dir, linked)
		if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		refuse(what, dir, says...)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, dir); err != nil {
			t.Fatal(err)
		}
	}
	replace("running", "it is not what", "it is not what the container's process has as its root", "hostPID: true")
	stopContainer(t, d, id)
	checkContainerRoot(t, d, dir, stopped, "container:"+id)
	checkContainerRoot(t, d, dir, stopped, "--pause", "container:"+id)
	replace("stopped", "a symlink is in its path", "it is empty", "while it runs")

	bundle := filepath.Join(t.TempDir(), "bundle")
	ctrRootfs(t, "bundle", "--address", d.Address, "--spec", "container", "--format", "dir", "-o", bundle, "container:"+id)
	if data, err := os.ReadFile(filepath.Join(bundle, "rootfs", "data", "written")); err != nil || string(data) != "by "+id {
		t.Errorf("its bundle has %q, %v", data, err)
	}
	o := invocation{args: []string{"spec", "--address", d.Address, "container:" + id}}.run(t)
	if o.status != statusFailed {
		t.Errorf("a config.json of no image: exit status %d", o.status)
	}
	checkError(t, o.stderr, "is not known", "--spec container")
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("it left:\n%s", left)
	}
}

// containerOfDocker exports a container as docker has them in its containerd image
// store: docker mounts the snapshot itself, so that the record names only the
// directory; when the container stops, the record goes, and the snapshot stays.
func containerOfDocker(t *testing.T, d *daemon.Daemon) {
	id := "5ad" + strings.Repeat("0c", 30) + "1"
	chain := strings.TrimPrefix(committedOf(t, d, churnName), "snapshot:")
	takeSnapshot(t, d, "overlayfs", "prepare", id, chain)
	t.Cleanup(func() { d.Ctr(t, "snapshots", "remove", id) })
	dir := t.TempDir()
	command(t, []byte(d.Ctr(t, "snapshots", "mounts", dir, id)), "sh")
	mounted := true
	unmount := func() {
		if mounted {
			command(t, nil, "umount", dir)
		}
		mounted = false
	}
	t.Cleanup(unmount)
	startOfDirectory(t, d, dir, id)
	short := "container:" + id[:12]
	before := d.Left(t, "default", "overlayfs")
	checkContainerRoot(t, d, dir, exportedMetadata{Via: "task", Container: id, Snapshotter: "overlayfs"}, short)
	was, err := listing.OfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Where its mount is not to be seen, there is the snapshot.
	meta := filepath.Join(t.TempDir(), "meta.json")
	pod := inPod(t, d, "rprivate", `umount "$dir" "`+dir+`"; exec "$@" --address "$dir/c.sock"`,
		programs.ctrRootfs, "export", "--profile", "none", "--pause", "--metadata-file", meta, short)
	if diff := listing.Diff(was, readTar(t, pod.stdout)); diff != "" || readMetadata(t, meta).Via != "snapshot" {
		t.Errorf("in a pod: metadata %+v; - there, + tar:\n%s\n%s", readMetadata(t, meta), diff, pod.stderr)
	}
	stopContainer(t, d, id)
	unmount()
	for _, state := range []string{"stopped", "without a record"} {
		if diff := listing.Diff(was, exported(t, d, "--metadata-file", meta, short)); diff != "" {
			t.Errorf("%s: - before, + tar:\n%s", state, diff)
		}
		if m := readMetadata(t, meta); m.Via != "snapshot" || m.Container != id {
			t.Errorf("%s: metadata %+v", state, m)
		}
		if state == "stopped" {
			d.Ctr(t, "containers", "remove", "--keep-snapshot", id)
		}
	}
	o := invocation{args: []string{"spec", "--address", d.Address, "--spec", "container", short}}.run(t)
	if o.status != statusFailed {
		t.Errorf("the spec of no record: exit status %d", o.status)
	}
	checkError(t, o.stderr, "containerd has no record of it any more", "use --config FILE")
	o = invocation{args: []string{"ls", "--address", d.Address, "-n", "moby", "container:" + id}}.run(t)
	checkError(t, o.stderr, `it is only in namespace "default": use --namespace default`)
	o = invocation{args: []string{"ls", "--address", d.Address, "container:none"}}.run(t)
	if strings.Contains(o.stderr, "docker") {
		t.Errorf("without docker it says\n%s", o.stderr)
	}
	d.Ctr(t, "namespaces", "create", "moby")
	o = invocation{args: []string{"ls", "--address", d.Address, "container:none"}}.run(t)
	checkError(t, o.stderr, "not found", "in namespace moby", "docker inspect", "docker export")
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("it left:\n%s", left)
	}
}
