package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// TestContainer exports a container while it runs, is held still, was held
// still before, and is stopped: each time what its task sees or saw.
func TestContainer(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	for _, snapshotter := range []string{"overlayfs", "native"} {
		t.Run(snapshotter, func(t *testing.T) {
			id := "web-" + snapshotter
			startWriter(t, d, []string{"--snapshotter", snapshotter}, id)
			before := d.Left(t, "default", snapshotter)
			want, err := listing.OfDir(taskRoot(d, id))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(want.String(), `"data/written" file`) {
				t.Fatalf("the task has written nothing:\n%s", want)
			}
			check := func(state, via string, args ...string) {
				t.Helper()
				meta := filepath.Join(t.TempDir(), "meta.json")
				got := exported(t, d, append(args, "--metadata-file", meta, "container:"+id)...)
				if diff := listing.Diff(want, got); diff != "" {
					t.Errorf("%s: - task, + tar:\n%s", state, diff)
				}
				m := readMetadata(t, meta)
				if m.Via != via || m.Container != id || m.Image != churnName || m.Snapshotter != snapshotter {
					t.Errorf("%s: metadata %+v", state, m)
				}
			}
			check("running", "task")
			check("held still", "task", "--pause")
			if got := taskStatus(t, d, id); got != "RUNNING" {
				t.Errorf("after --pause it is %s", got)
			}
			d.Ctr(t, "tasks", "pause", id)
			check("paused before", "task", "--pause")
			if got := taskStatus(t, d, id); got != "PAUSED" {
				t.Errorf("a container that was paused is %s", got)
			}
			d.Ctr(t, "tasks", "resume", id)
			stopContainer(t, d, id)
			check("stopped", "snapshot", "--pause")
			left := d.Left(t, "default", snapshotter)
			if diff := left.Since(before); diff != "" {
				t.Errorf("it left:\n%s", diff)
			}
		})
	}
	t.Run("a directory", func(t *testing.T) { containerOfADirectory(t, d) })
	t.Run("docker's", func(t *testing.T) { containerOfDocker(t, d) })
}

// exportedMetadata is what the tests ask of --metadata-file.
type exportedMetadata struct {
	Via, Container, Image, Snapshotter, ChainID, Platform string
	Changes                                               int
	Changed                                               []struct{ Path, Why string }
}

func readMetadata(t *testing.T, path string) (m exportedMetadata) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestContainerNames finds containers by parts of their ids, and says what it
// does not find.
func TestContainerNames(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	first, second := strings.Repeat("0a", 32), "0b"+strings.Repeat("0a", 31)
	for _, id := range []string{"web", "web-2", "db.1", first, second} {
		d.Ctr(t, "containers", "create", churnName, id)
	}
	named, odd, unrecorded := "0c"+first[2:], "0d"+first[2:], "0e"+first[2:]
	d.Ctr(t, "containers", "create", "--label", "nerdctl/name=shop", churnName, named)
	d.Ctr(t, "containers", "create", "--label", "nerdctl/name=0e", churnName, odd)
	d.Ctr(t, "containers", "create", churnName, unrecorded)
	d.Ctr(t, "snapshots", "label", unrecorded, "containerd.io/gc.root=now")
	d.Ctr(t, "containers", "remove", "--keep-snapshot", unrecorded)
	for name, id := range map[string]string{"shop": named, "0e": odd, "0e0a": unrecorded, "0d": odd, unrecorded: unrecorded} {
		meta := filepath.Join(t.TempDir(), "meta.json")
		ctrRootfs(t, "export", "--address", d.Address, "-o", "/dev/null", "--metadata-file", meta, "container:"+name)
		if got := readMetadata(t, meta); got.Container != id || got.Snapshotter != "overlayfs" {
			t.Errorf("container:%s is %+v, want %s", name, got, id)
		}
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		says   []string
	}{
		"no such id":                           {[]string{"container:0f"}, statusNotFound, []string{`finding container "0f" in namespace "default": not found`}},
		"another namespace, by nerdctl's name": {[]string{"-n", "empty", "container:shop"}, statusNotFound, []string{`use --namespace default`}},
		"whole id":                             {[]string{"container:web"}, 0, nil},
		"short id":                             {[]string{"container:" + first[:12]}, 0, nil},
		"several":                              {[]string{"container:0"}, statusNotFound, []string{`finding container "0": it may be ` + strings.Join([]string{first, second, named, odd, unrecorded}, ", ") + ": give more of its id"}},
		"prefix of a name":                     {[]string{"container:web-"}, statusNotFound, []string{`finding container "web-" in namespace "default": not found`}},
		"none":                                 {[]string{"container:db"}, statusNotFound, []string{`finding container "db" in namespace "default": not found`}},
		"too long":                             {[]string{"container:" + first + "0"}, statusNotFound, []string{"not found"}},
		"another namespace":                    {[]string{"-n", "empty", "container:db.1"}, statusNotFound, []string{`it is only in namespace "default": use --namespace default`}},
		"pause an image":                       {[]string{"--pause", churnName}, 2, []string{"is no container and no pod"}},
		"no such spec":                         {[]string{"container:"}, 2, []string{`nothing follows "container:"`}},
	} {
		t.Run(name, func(t *testing.T) {
			o := invocation{args: append([]string{"ls", "--address", d.Address}, test.args...)}.run(t)
			if o.status != test.status {
				t.Errorf("exit status %d, want %d\n%s", o.status, test.status, o.stderr)
			}
			if test.says != nil {
				checkError(t, o.stderr, test.says...)
			}
		})
	}
	if left := d.Left(t, "default", "overlayfs").Leases; len(left) != 0 {
		t.Errorf("leases are left: %q", left)
	}
}

// TestContainerOfADamagedImage exports a container whose image cannot be read any
// more, as after a power cut: its root is there.
func TestContainerOfADamagedImage(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	startWriter(t, d, nil, "web")
	want := ctrRootfs(t, "ls", "--address", d.Address, "--pause", "container:web").stdout
	blobs := filepath.Join(d.Dir, "root/io.containerd.content.v1.content/blobs/sha256")
	names, err := os.ReadDir(blobs)
	if err != nil || len(names) == 0 {
		t.Fatalf("%d blobs in %s: %v", len(names), blobs, err)
	}
	for _, name := range names {
		if err := os.Truncate(filepath.Join(blobs, name.Name()), 0); err != nil {
			t.Fatal(err)
		}
	}
	o := ctrRootfs(t, "ls", "--address", d.Address, "--pause", "container:web")
	if !bytes.Equal(o.stdout, want) || !strings.Contains(o.stderr, "cannot be read") {
		t.Errorf("got %q, want %q\n%s", o.stdout, want, o.stderr)
	}
}

// TestContainerEndsMeanwhile ends and removes a container's task while its
// root is read: the daemon can unmount it, and the export is whole.
func TestContainerEndsMeanwhile(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t, large().Layers[1]...)))
	startWriter(t, d, nil, "web")
	s := stall(t, invocation{args: []string{"export", "--address", d.Address, "--profile", "none", "container:web"}})
	if m, err := daemon.Mounts("self"); err != nil || !contains(m, taskRoot(d, "web")) {
		t.Fatalf("the task's root is not mounted, so this test tests nothing (%v)", err)
	}
	stopContainer(t, d, "web")
	if m, err := daemon.Mounts("self"); err != nil || contains(m, taskRoot(d, "web")) {
		t.Errorf("the export keeps the task's root mounted (%v)", err)
	}
	if l := s.whole(t); !strings.Contains(l.String(), `"third" file`) {
		t.Errorf("it wrote:\n%s", l)
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// rest reads what is left of the output, and gives all of it.
func (s *stalled) rest(t *testing.T) (output []byte, status int) {
	t.Helper()
	return s.end(t, syscall.SIGCONT)
}

// whole reads on to the end of an export that must succeed, and gives what it wrote.
func (s *stalled) whole(t *testing.T) listing.Listing {
	t.Helper()
	output, status := s.rest(t)
	if status != 0 {
		t.Errorf("exit status %d\n%s", status, s.stderr)
	}
	return readTar(t, output)
}

// TestContainerHeldStill interrupts and kills an export that holds a container
// still: the container goes on, in the latter case after gc.
func TestContainerHeldStill(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t, large().Layers[1]...)))
	startWriter(t, d, nil, "web")
	before := d.Left(t, "default", "overlayfs")
	i := invocation{args: []string{"export", "--address", d.Address, "--pause", "container:web"}}
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGKILL: -1} {
		s := stall(t, i)
		if got := taskStatus(t, d, "web"); got != "PAUSED" {
			t.Errorf("while it is read it is %s", got)
		}
		if _, got := s.end(t, sig); got != status {
			t.Errorf("%s: exit status %d, want %d\n%s", sig, got, status, s.stderr)
		}
		if sig == syscall.SIGKILL {
			ctrRootfs(t, "gc", "--address", d.Address)
		}
		if got := taskStatus(t, d, "web"); got != "RUNNING" {
			t.Errorf("after %s it is %s", sig, got)
			d.Ctr(t, "tasks", "resume", "web")
		}
		if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
			t.Errorf("%s left:\n%s", sig, left)
		}
	}
}
