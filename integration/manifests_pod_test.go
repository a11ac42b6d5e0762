package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// onNode rewrites manifests for a node whose daemon has its folder elsewhere.
func onNode(text []byte, d *daemon.Daemon, exports string) []byte {
	return []byte(strings.NewReplacer(
		"/run/containerd/containerd.sock", d.Address,
		"/run/containerd", d.Dir,
		"/var/lib/containerd", filepath.Join(d.Dir, "root"),
		"/var/lib/ctr-rootfs-exports", exports,
	).Replace(string(text)))
}

// asKubelet gives crictl's form of a container, as a kubelet would ask for it
// (k8s.io/cri-api, ContainerConfig), with further variables.
func asKubelet(c *corev1.Container, pod *corev1.PodSpec, values map[string]string) object {
	var envs []object
	var expand []string
	for _, e := range c.Env {
		value := e.Value
		if given, ok := values[e.Name]; ok {
			value = given
		}
		envs = append(envs, object{"key": e.Name, "value": value})
		expand = append(expand, "$("+e.Name+")", value)
	}
	args := strings.Split(strings.NewReplacer(expand...).Replace(strings.Join(c.Args, "\n")), "\n")
	paths := map[string]string{}
	for _, v := range pod.Volumes {
		paths[v.Name] = v.HostPath.Path
	}
	var mounts []object
	for _, m := range c.VolumeMounts {
		mount := object{"container_path": m.MountPath, "host_path": paths[m.Name], "readonly": m.ReadOnly}
		if m.MountPropagation != nil && *m.MountPropagation == corev1.MountPropagationHostToContainer {
			mount["propagation"] = 1
		}
		mounts = append(mounts, mount)
	}
	s := c.SecurityContext
	security := object{
		"capabilities":      object{"add_capabilities": s.Capabilities.Add, "drop_capabilities": s.Capabilities.Drop},
		"run_as_user":       object{"value": *s.RunAsUser},
		"readonly_rootfs":   *s.ReadOnlyRootFilesystem,
		"no_new_privs":      !*s.AllowPrivilegeEscalation,
		"seccomp":           object{"profile_type": 0}, // RuntimeDefault
		"namespace_options": object{"network": 2},
	}
	if s.AppArmorProfile != nil {
		security["apparmor"] = object{"profile_type": 1} // Unconfined
	}
	return object{
		"metadata": object{"name": c.Name}, "labels": object{"io.kubernetes.container.name": c.Name},
		"image": object{"image": ownName}, "args": args, "envs": envs, "mounts": mounts, "log_path": c.Name + ".log",
		"stdin": c.Stdin, "stdin_once": c.StdinOnce,
		"linux": object{
			"resources":        object{"memory_limit_in_bytes": c.Resources.Limits.Memory().Value()},
			"security_context": security,
		},
	}
}

// start creates and starts a container of a pod.
func (p *pod) start(t *testing.T, container object) (id string) {
	t.Helper()
	id = p.node.cri(t, "create", "--no-pull", p.id, p.write(t, "exporter.json", container), p.config)
	p.node.cri(t, "start", id)
	return id
}

// runAttached runs a container that waits for somebody to attach and to end
// its standard input, and gives what it writes to standard output.
func (p *pod) runAttached(t *testing.T, container object) []byte {
	t.Helper()
	id := p.start(t, container)
	defer p.node.cri(t, "rm", "--force", id)
	out := []byte(command(t, nil, p.node.crictl, "--runtime-endpoint", "unix://"+p.node.Address, "attach", "--stdin", id))
	if status := p.ended(t, id); status != 0 {
		t.Fatalf("exit status %d\n%s", status, p.log(t, container))
	}
	return out
}

// runToEnd runs a container of a pod, and gives its exit status and its log.
func (p *pod) runToEnd(t *testing.T, container object) (status int, log string) {
	t.Helper()
	id := p.start(t, container)
	defer p.node.cri(t, "rm", "--force", id)
	return p.ended(t, id), p.log(t, container)
}

// ended waits for the end of a container, and gives its exit status.
func (p *pod) ended(t *testing.T, id string) (status int) {
	t.Helper()
	var inspected struct {
		Status struct {
			State    string
			ExitCode int
		}
	}
	waitUntil(t, "the export has ended", func() bool {
		if err := json.Unmarshal([]byte(p.node.cri(t, "inspect", "--output", "json", id)), &inspected); err != nil {
			t.Fatal(err)
		}
		return inspected.Status.State == "CONTAINER_EXITED"
	})
	return inspected.Status.ExitCode
}

// log gives a container's log, in which each line begins with a time, a stream
// and a tag.
func (p *pod) log(t *testing.T, container object) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.directory, container["log_path"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runToFile runs a container that is to succeed, and gives the file that it
// wrote.
func (p *pod) runToFile(t *testing.T, container object, path string) []byte {
	t.Helper()
	if status, log := p.runToEnd(t, container); status != 0 {
		t.Fatalf("exit status %d\n%s", status, log)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// startPrivileged starts a pod whose containers may be privileged.
func (n *node) startPrivileged(t *testing.T) *pod {
	t.Helper()
	p := &pod{node: n, directory: t.TempDir()}
	p.config = p.write(t, "sandbox.json", object{
		"metadata":      object{"name": "debug", "namespace": "ctr-rootfs", "uid": "debug", "attempt": 1},
		"log_directory": p.directory,
		"linux":         object{"security_context": object{"privileged": true, "namespace_options": object{"network": 2}}},
	})
	p.id = n.cri(t, "runp", p.config)
	t.Cleanup(func() { n.cri(t, "rmp", "--force", p.id) })
	return p
}

// TestManifestPods runs the containers of deploy/kubernetes by CRI, as a
// kubelet would start them, on an image and on a running pod: the same bytes
// as on the host, and nothing left.
func TestManifestPods(t *testing.T) {
	n := startNodeIn(t, sharedDir(t))
	for _, archive := range []string{ownImage(t), writeArchive(t, standardName, standard(t))} {
		n.Ctr(t, "--namespace", "k8s.io", "images", "import", archive)
	}
	web := n.startPod(t, "default", "web")
	web.startContainer(t, "app", "by web's app", 0)
	exporting := n.startPod(t, "ctr-rootfs", "export")
	privileged := n.startPrivileged(t)
	exports := t.TempDir()
	before := n.Left(t, "k8s.io", "overlayfs")
	for name := range manifests {
		for _, source := range []string{standardName, "pod:default/web/app"} {
			t.Run(name+" of "+strings.ReplaceAll(source, "/", " "), func(t *testing.T) {
				d := readManifests(t, onNode(kustomized(t, name), n.Daemon, exports))
				container := asKubelet(d.exporter(), d.pod, map[string]string{"SOURCE": source, "FILE": "rootfs.tar"})
				var got []byte
				if d.exporter().Stdin {
					got = exporting.runAttached(t, container)
				} else {
					got = exporting.runToFile(t, container, filepath.Join(exports, "rootfs.tar"))
				}
				want := ctrRootfs(t, "export", "--address", n.Address, "-n", "k8s.io", "--via", "view", "--reproducible", source).stdout
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes differ from the host's %d", len(got), len(want))
				}
			})
		}
	}
	if left := n.Left(t, "k8s.io", "overlayfs").Since(before); left != "" {
		t.Errorf("they left:\n%s", left)
	}
	t.Run("a source that is not there", func(t *testing.T) {
		d := readManifests(t, onNode(kustomized(t, "job"), n.Daemon, exports))
		status, log := exporting.runToEnd(t, asKubelet(d.exporter(), d.pod, map[string]string{"SOURCE": "pod:nobody"}))
		if status != statusNotFound || !strings.Contains(log, `finding pod "nobody" in namespace "k8s.io": not found`) {
			t.Errorf("exit status %d, and not 3, which the Job does not try again:\n%s", status, log)
		}
	})
	t.Run("private propagation", func(t *testing.T) {
		d := readManifests(t, onNode(kustomized(t, "job-without-sys-admin"), n.Daemon, exports))
		for i := range d.exporter().VolumeMounts {
			d.exporter().VolumeMounts[i].MountPropagation = nil
		}
		status, log := exporting.runToEnd(t, asKubelet(d.exporter(), d.pod, map[string]string{"SOURCE": standardName}))
		if status != 1 || !strings.Contains(log, "mountPropagation: HostToContainer") {
			t.Errorf("exit status %d:\n%s", status, log)
		}
	})
	t.Run("kubectl debug node", func(t *testing.T) {
		// It mounts the node's root at /host, with no propagation, and its profile
		// sysadmin is a privileged container.
		container := object{
			"metadata": object{"name": "debugger"}, "image": object{"image": ownName}, "log_path": "debugger.log",
			"args": []string{"export", "--host-root", "/host", "--address", "/host" + n.Address, "-n", "k8s.io",
				"--reproducible", "-o", "/host" + filepath.Join(exports, "debug.tar"), "pod:web"},
			"mounts": []object{{"container_path": "/host", "host_path": "/"}},
			"linux":  object{"security_context": object{"privileged": true, "namespace_options": object{"network": 2}}},
		}
		got := privileged.runToFile(t, container, filepath.Join(exports, "debug.tar"))
		want := ctrRootfs(t, "export", "--address", n.Address, "--reproducible", "pod:web").stdout
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes differ from the host's %d", len(got), len(want))
		}
	})
}
