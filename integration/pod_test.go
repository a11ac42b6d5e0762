package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// plainNode has CRI start with nothing of the host's.
const plainNode = `
[plugins."io.containerd.cri.v1.runtime"]
disable_apparmor = true
restrict_oom_score_adj = true
`

// pauseName is the sandbox image that containerd 2.4 starts pods with.
const pauseName = "registry.k8s.io/pause:3.10.2"

// node is a daemon with CRI, driven by crictl.
type node struct {
	*daemon.Daemon
	crictl string
}

func startNode(t *testing.T) *node {
	t.Helper()
	return startNodeIn(t, "")
}

// startNodeIn starts a node whose daemon has its folder in dir.
func startNodeIn(t *testing.T, dir string) *node {
	t.Helper()
	needsRoot(t)
	bin, err := tools.Dir(context.Background(), "crictl")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{daemon.Start(t, daemon.Options{CRI: true, Config: plainNode, Dir: dir}), filepath.Join(bin, "crictl")}
	for _, name := range []string{pauseName, churnName} {
		n.Ctr(t, "--namespace", "k8s.io", "images", "import", writeArchive(t, name, churn(t)))
	}
	return n
}

// cri runs crictl and gives the last line of what it prints.
func (n *node) cri(t *testing.T, args ...string) string {
	t.Helper()
	endpoint := "unix://" + n.Address
	cmd := exec.Command(n.crictl, append([]string{"--runtime-endpoint", endpoint, "--image-endpoint", endpoint, "--timeout", "30s"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("crictl %s: %v\n%s\n%s", strings.Join(args, " "), err, errOut.String(), n.Log())
	}
	return strings.TrimSpace(out.String())
}

// object is a piece of crictl's JSON.
type object = map[string]any

// pod is a running sandbox.
type pod struct {
	node      *node
	id        string
	config    string
	name      object // the labels that name it
	directory string
	// namespaces are the sandbox's options, which its containers repeat.
	namespaces object
}

// startPod starts a pod's sandbox as a kubelet would, on the host's network.
func (n *node) startPod(t *testing.T, namespace, name string) *pod {
	t.Helper()
	return n.startPodIn(t, namespace, name, object{"network": 2})
}

// startPodIn starts a pod's sandbox with the namespaces that options name.
func (n *node) startPodIn(t *testing.T, namespace, name string, options object) *pod {
	t.Helper()
	p := &pod{node: n, directory: t.TempDir(), namespaces: options, name: object{
		"io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.name": name, "io.kubernetes.pod.uid": namespace + "-" + name,
	}}
	p.config = p.write(t, "sandbox.json", object{
		"metadata":      object{"name": name, "namespace": namespace, "uid": namespace + "-" + name, "attempt": 1},
		"labels":        p.name,
		"log_directory": p.directory,
		"linux":         object{"security_context": object{"namespace_options": options}},
	})
	p.id = n.cri(t, "runp", p.config)
	t.Cleanup(func() { n.cri(t, "rmp", "--force", p.id) })
	return p
}

// startContainer starts a container that has written data/written, and gives
// its id.
func (p *pod) startContainer(t *testing.T, name, text string, attempt int) string {
	t.Helper()
	labels := object{"io.kubernetes.container.name": name}
	for key, value := range p.name {
		labels[key] = value
	}
	config := p.write(t, "container.json", object{
		"metadata": object{"name": name, "attempt": attempt},
		"labels":   labels,
		"image":    object{"image": churnName},
		"args":     []string{"/data/written", text},
		"log_path": name + ".log",
		"linux":    object{"security_context": object{"namespace_options": p.namespaces}},
	})
	id := p.node.cri(t, "create", "--no-pull", p.id, config, p.config)
	p.node.cri(t, "start", id)
	path := filepath.Join(p.node.root(id), "data", "written")
	waitUntil(t, "container "+name+" has written its file", func() bool {
		data, err := os.ReadFile(path)
		return err == nil && string(data) == text
	})
	return id
}

func (p *pod) write(t *testing.T, name string, what object) string {
	t.Helper()
	data, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.directory, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// root is where a container's root is mounted while it runs.
func (n *node) root(id string) string {
	return filepath.Join(n.Dir, "state", "io.containerd.runtime.v2.task", "k8s.io", id, "rootfs")
}

// written is what an exported container holds in data/written.
func written(t *testing.T, n *node, args ...string) string {
	t.Helper()
	data := ctrRootfs(t, append([]string{"export", "--address", n.Address}, args...)...).stdout
	return command(t, data, "tar", "-x", "-O", "data/written")
}

// TestPod exports a pod's containers by the names that the kubelet gives them.
func TestPod(t *testing.T) {
	n := startNode(t)
	web, db := n.startPod(t, "default", "web"), n.startPod(t, "prod", "db")
	app := web.startContainer(t, "app", "by web's app", 0)
	web.startContainer(t, "sidecar", "by web's sidecar", 0)
	db.startContainer(t, "app", "by db's app", 0)
	before := n.Left(t, "k8s.io", "overlayfs")

	want, err := listing.OfDir(n.root(app))
	if err != nil {
		t.Fatal(err)
	}
	// kubelet's own /etc files are bound over these; what is bound is not the root's.
	if diff := listing.Diff(want, exported(t, n.Daemon, "pod:default/web/app")); diff != "" {
		t.Errorf("- task, + tar:\n%s", diff)
	}
	for source, want := range map[string]string{
		"pod:default/web/app": "by web's app",
		"pod:web/app":         "by web's app",
		"pod:web/sidecar":     "by web's sidecar",
		"pod:db":              "by db's app",
		"pod:prod/db":         "by db's app",
		"pod:db/app":          "by db's app",
	} {
		if got := written(t, n, source); got != want {
			t.Errorf("%s holds %q, want %q", source, got, want)
		}
	}
	if got := written(t, n, "-n", "k8s.io", "--pause", "container:"+app[:12]); got != "by web's app" {
		t.Errorf("by its id it holds %q", got)
	}
	for source, says := range map[string]string{
		"pod:web":            "it may be default/web/app, default/web/sidecar: name one of them, as pod:default/web/app",
		"pod:default/web":    "it may be default/web/app, default/web/sidecar",
		"pod:prod/web":       `finding pod "prod/web" in namespace "k8s.io": not found`,
		"pod:default/db/app": `finding pod "default/db/app" in namespace "k8s.io": not found`,
	} {
		o := invocation{args: []string{"ls", "--address", n.Address, source}}.run(t)
		if o.status != statusNotFound {
			t.Errorf("%s: exit status %d", source, o.status)
		}
		checkError(t, o.stderr, says)
	}
	o := invocation{args: []string{"ls", "--address", n.Address, "-n", "default", "pod:db"}}.run(t)
	checkError(t, o.stderr, `it is only in namespace "k8s.io": use --namespace k8s.io`)
	if left := n.Left(t, "k8s.io", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
}

// TestPodRestarts takes the container that runs, else the newest of those that
// have ended.
func TestPodRestarts(t *testing.T) {
	n := startNode(t)
	web := n.startPod(t, "default", "web")
	first := web.startContainer(t, "app", "first", 0)
	n.cri(t, "stop", "--timeout", "0", first)
	if got := written(t, n, "pod:web"); got != "first" {
		t.Errorf("ended, it holds %q", got)
	}
	second := web.startContainer(t, "app", "second", 1)
	if got := written(t, n, "pod:web"); got != "second" {
		t.Errorf("after a restart it holds %q", got)
	}
	n.cri(t, "stop", "--timeout", "0", second)
	if got := written(t, n, "pod:web"); got != "second" {
		t.Errorf("when both have ended it holds %q", got)
	}
	var spec struct {
		Annotations map[string]string
		Process     struct{ Args []string }
	}
	text := ctrRootfs(t, "spec", "--address", n.Address, "--spec", "container", "pod:web/app").stdout
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(spec.Process.Args, " "); got != "/churn /data/written second" || spec.Annotations["io.kubernetes.cri.sandbox-name"] != "web" {
		t.Errorf("its own spec has the args %q and the annotations %v", got, spec.Annotations)
	}
}

// TestPodUserNamespace exports a pod whose ids are others on the host: a
// running one with its owners mapped back, a stopped one not at all, since half
// of its owners are shifted on disk and half by its mount.
func TestPodUserNamespace(t *testing.T) {
	n := startNode(t)
	if err := os.Chmod(n.Dir, 0o711); err != nil {
		t.Fatal(err)
	}
	mapping := func(host int) []object {
		return []object{{"container_id": 0, "host_id": host, "length": 65536}}
	}
	web := n.startPodIn(t, "default", "web", object{
		"network": 2, "userns_options": object{"mode": 0, "uids": mapping(100000), "gids": mapping(200000)},
	})
	id := web.startContainer(t, "app", "shifted", 0)
	l := exported(t, n.Daemon, "pod:web")
	if !strings.Contains(l.String(), `"data/written" file`) {
		t.Errorf("it has no data/written:\n%s", l)
	}
	for _, e := range l {
		if e.UID != 0 || e.GID != 0 {
			t.Errorf("running: %s", e)
		}
	}
	n.cri(t, "stop", "--timeout", "0", id)
	o := invocation{args: []string{"ls", "--address", n.Address, "pod:web"}}.run(t)
	if o.status != 1 {
		t.Errorf("stopped: exit status %d\n%s", o.status, o.stdout)
	}
	checkError(t, o.stderr, "owners are shifted by its container's id-mapped mount", "while it runs")
}
