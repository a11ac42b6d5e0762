package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// churnName is an image whose program does what containers do to their roots.
const churnName = "example.com/churn:1"

// churnProgram is integration/internal/churn, built once.
var churnProgram = sync.OnceValues(func() ([]byte, error) {
	root, err := tools.Root(context.Background())
	if err != nil {
		return nil, err
	}
	// TestMain removes the folder of the programs.
	path := filepath.Join(filepath.Dir(programs.hello), "churn")
	if err := build(root, path, "./internal/churn", "CGO_ENABLED=0"); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// churn is the image, with further entries in a second layer.
func churn(t *testing.T, further ...imagetest.Entry) imagetest.Image {
	t.Helper()
	program, err := churnProgram()
	if err != nil {
		t.Fatal(err)
	}
	file := imagetest.File("churn", 0o755, "")
	file.Body = program
	return imagetest.Image{
		Compression: imagetest.Plain,
		Config:      ispec.ImageConfig{Entrypoint: []string{"/churn"}, Env: []string{"OF=the image"}},
		Layers: []imagetest.Layer{
			{imagetest.Dir("data", 0o755), imagetest.File("data/below", 0o644, "below"), file},
			append(imagetest.Layer{imagetest.File("second", 0o644, "2"), imagetest.Link("third", "second")}, further...),
		},
	}
}

// startContainer has ctr start a container of churnName, and ends it with the
// test. flags are those of ctr run.
func startContainer(t *testing.T, d *daemon.Daemon, flags []string, id string, args ...string) {
	t.Helper()
	t.Cleanup(func() { removeContainer(t, d, id) })
	d.Ctr(t, append(append([]string{"run", "--detach", "--null-io"}, flags...), append([]string{churnName, id, "/churn"}, args...)...)...)
}

// stopContainer kills a container's task and removes it; the container stays.
func stopContainer(t *testing.T, d *daemon.Daemon, id string) {
	t.Helper()
	d.Ctr(t, "tasks", "kill", "--signal", "9", id)
	waitUntil(t, "task "+id+" has stopped", func() bool { return taskStatus(t, d, id) == "STOPPED" })
	if out, err := d.Run("tasks", "remove", id); err != nil && !strings.Contains(err.Error(), "137") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func removeContainer(t *testing.T, d *daemon.Daemon, id string) {
	t.Helper()
	switch taskStatus(t, d, id) {
	case "PAUSED":
		d.Ctr(t, "tasks", "resume", id)
		stopContainer(t, d, id)
	case "RUNNING", "CREATED":
		stopContainer(t, d, id)
	}
	if _, err := d.Run("containers", "remove", id); err != nil && !strings.Contains(err.Error(), "not found") {
		t.Errorf("removing container %q: %v", id, err)
	}
}

// taskStatus is what ctr says of a container's task, empty where it has none.
func taskStatus(t *testing.T, d *daemon.Daemon, id string) string {
	t.Helper()
	for line := range strings.Lines(d.Ctr(t, "tasks", "list")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == id {
			return fields[2]
		}
	}
	return ""
}

// taskRoot is where a running container's root is mounted.
func taskRoot(d *daemon.Daemon, id string) string {
	return filepath.Join(d.Dir, "state", "io.containerd.runtime.v2.task", "default", id, "rootfs")
}

// startWriter starts a container that has written the file data/written.
func startWriter(t *testing.T, d *daemon.Daemon, flags []string, id string) {
	t.Helper()
	startContainer(t, d, flags, id, "/data/written", "by "+id)
	path := filepath.Join(taskRoot(d, id), "data", "written")
	waitUntil(t, fmt.Sprintf("container %q has written its file", id), func() bool {
		data, err := os.ReadFile(path)
		return err == nil && string(data) == "by "+id
	})
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s it is not so that %s", what)
		}
	}
}

// exported runs export with args, with nothing but what is there.
func exported(t *testing.T, d *daemon.Daemon, args ...string) listing.Listing {
	t.Helper()
	return readTar(t, ctrRootfs(t, append([]string{"export", "--address", d.Address, "--profile", "none"}, args...)...).stdout)
}
