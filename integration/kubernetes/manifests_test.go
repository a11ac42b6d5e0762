package kubernetes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

const (
	// pauseName is both the sandbox image of containerd 2.4 and what the
	// manifests export and leave running.
	pauseName = "registry.k8s.io/pause:3.10.2"
	ownName   = "ghcr.io/ctr-rootfs/ctr-rootfs:v0.1.0"
)

var (
	// deployments write files, on one node or on every one.
	deployments = []string{"job", "job-without-sys-admin", "daemonset", "daemonset-without-sys-admin"}
	exportFlags = []string{"export", "--address", socket, "-n", "k8s.io", "--pull", "never", "--via", "view", "--reproducible"}
)

const exports = "/var/lib/ctr-rootfs-exports"

// TestManifests has the apiserver validate every manifest strictly, and a
// kubelet run them: the exported bytes are the host's.
func TestManifests(t *testing.T) {
	c := startCluster(t)
	c.kubectl(t, "create", "namespace", "ctr-rootfs")
	for _, name := range append([]string{"job-to-stdout"}, deployments...) {
		// A field that is unknown or stands twice is an error.
		c.kubectl(t, "apply", "--dry-run=server", "--validate=strict", "-k", manifest(name))
	}
	c.kubectl(t, "delete", "namespace", "ctr-rootfs", "--wait=false")
	program := importImages(t)
	c.startNode(t)
	c.wait(t, "the namespace is gone", func() bool { _, err := c.try("get", "namespace", "ctr-rootfs"); return err != nil })
	c.kubectl(t, "run", "web", "--image", pauseName, "--restart", "Never", "--overrides", `{"spec": {"containers": [{"name": "app", "image": "`+pauseName+`"}]}}`)
	c.kubectl(t, "wait", "--timeout=300s", "--for=condition=Ready", "pod/web")

	want := run(t, program, append(exportFlags, pauseName)...)
	for _, name := range deployments {
		t.Run(name, func(t *testing.T) {
			c.kubectl(t, "apply", "-k", manifest(name))
			if strings.HasPrefix(name, "job") {
				c.kubectl(t, "-n", "ctr-rootfs", "wait", "--timeout=300s", "--for=condition=complete", "job/export")
			} else {
				c.kubectl(t, "-n", "ctr-rootfs", "rollout", "status", "--timeout=300s", "daemonset/export")
			}
			isExported(t, "rootfs.tar", want)
			c.remove(t, manifest(name))
		})
	}
	t.Run("job-to-stdout", func(t *testing.T) { toStdout(t, c, want) })
	pod := run(t, program, append(exportFlags, "pod:default/web/app")...)
	t.Run("the overlay of the docs", func(t *testing.T) {
		overlay(t, c, run(t, program, append(exportFlags, "--compress=zstd", "pod:default/web/app")...))
	})
	t.Run("kubectl debug", func(t *testing.T) { debugNode(t, c, pod) })
}

// isExported compares a file that a pod exported, and removes it.
func isExported(t *testing.T, name string, want []byte) {
	t.Helper()
	path := filepath.Join(exports, name)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes differ from the host's %d", name, len(got), len(want))
	}
}

// toStdout does what the comment of job-to-stdout says.
func toStdout(t *testing.T, c *cluster, want []byte) {
	c.kubectl(t, "apply", "-k", manifest("job-to-stdout"))
	c.kubectl(t, "-n", "ctr-rootfs", "wait", "--timeout=300s", "--for=jsonpath={.status.ready}=1", "job/export")
	if got := c.kubectl(t, "-n", "ctr-rootfs", "attach", "--quiet", "--stdin", "job/export"); got != string(want) {
		t.Errorf("%d bytes differ from the host's %d", len(got), len(want))
	}
	c.kubectl(t, "-n", "ctr-rootfs", "wait", "--timeout=300s", "--for=condition=complete", "job/export")
	c.remove(t, manifest("job-to-stdout"))
}

// overlay applies the kustomization that docs/kubernetes.md has as an example.
func overlay(t *testing.T, c *cluster, want []byte) {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	dir := t.TempDir()
	job, err := filepath.Abs(manifest("job"))
	if err != nil {
		t.Fatal(err)
	}
	if job, err = filepath.Rel(dir, job); err != nil { // an absolute path is no resource
		t.Fatal(err)
	}
	for old, here := range map[string]string{
		"https://github.com/ctr-rootfs/ctr-rootfs//deploy/kubernetes/job?ref=v0.1.0": job, "nodeName: NODE\n": "nodeName: localhost\n",
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the example has no %q:\n%s", old, text)
		}
		text = strings.ReplaceAll(text, old, here)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, "apply", "-k", dir)
	c.kubectl(t, "-n", "ctr-rootfs", "wait", "--timeout=300s", "--for=condition=complete", "job/export")
	isExported(t, "web.tar.zst", want)
	c.remove(t, dir)
}

// debugNode does what docs/kubernetes.md does once, from elsewhere.
func debugNode(t *testing.T, c *cluster, want []byte) {
	c.kubectl(t, "debug", "node/localhost", "--profile", "sysadmin", "--image", ownName, "--",
		"/usr/bin/ctr-rootfs", "export", "--host-root", "/host", "--address", "/host"+socket, "-n", "k8s.io", "--reproducible",
		"-o", filepath.Join("/host", exports, "web.tar"), "pod:default/web/app")
	const selector = "app.kubernetes.io/managed-by=kubectl-debug"
	c.kubectl(t, "wait", "--timeout=300s", "--for=jsonpath={.status.phase}=Succeeded", "pod", "-l", selector)
	isExported(t, "web.tar", want)
}

func (c *cluster) remove(t *testing.T, kustomization string) {
	t.Helper()
	c.kubectl(t, "delete", "-k", kustomization, "--wait=true", "--timeout=300s")
}

func manifest(name string) string { return filepath.Join("..", "..", "deploy", "kubernetes", name) }

// importImages gives the node the tool's own image and one that sleeps, and
// gives the tool for this host.
func importImages(t *testing.T) (program string) {
	t.Helper()
	dist := filepath.Join(t.TempDir(), "dist")
	build := exec.Command("make", "-C", "../..", "image")
	build.Env = append(os.Environ(), "DIST="+dist, "VERSION=v0.1.0", "SOURCE_DATE_EPOCH=1700000000", "MAKEFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	sleeper := filepath.Join(t.TempDir(), "churn")
	build = exec.Command("go", "build", "-C", "..", "-buildvcs=false", "-o", sleeper, "./internal/churn")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the sleeper: %v\n%s", err, out)
	}
	body, err := os.ReadFile(sleeper)
	if err != nil {
		t.Fatal(err)
	}
	pause := imagetest.File("pause", 0o755, "")
	pause.Body = body
	content, err := imagetest.Build(pauseName, imagetest.Image{
		Config: ispec.ImageConfig{Entrypoint: []string{"/pause"}},
		Layers: []imagetest.Layer{{pause}, {imagetest.File("second", 0o644, "a view of two layers is mounted")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := content.WriteArchive(&archive); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pause.tar")
	if err := os.WriteFile(path, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{path, filepath.Join(dist, "ctr-rootfs_v0.1.0_image.tar")} {
		run(t, "ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", image)
	}
	return filepath.Join(dist, "ctr-rootfs_v0.1.0_linux_amd64")
}

func run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, errOut.String())
	}
	return out.Bytes()
}
