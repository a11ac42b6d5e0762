package kubernetes

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startDeadline is long for a loaded machine: alone, it takes seconds.
const startDeadline = 5 * time.Minute

// cluster is a Kubernetes of one node, whose name is localhost.
type cluster struct {
	dir, bin   string
	apiserver  string // host:port
	etcd       string // URL
	kubeconfig string
}

const (
	socket = "/run/containerd/containerd.sock"
	token  = "the-only-user"
)

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir()}
	for _, name := range []string{"etcd", "kubernetes", "containerd", "runc"} {
		c.bin += tool(t, name) + ":"
	}
	if err := os.Setenv("PATH", c.bin+os.Getenv("PATH")); err != nil {
		t.Fatal(err)
	}
	c.etcd, c.apiserver = "http://"+freePort(t), freePort(t)
	c.writeFiles(t)
	c.start(t, "containerd", "--config", c.file("containerd.toml"))
	peer := "http://" + freePort(t)
	c.start(t, "server", "--data-dir", c.file("etcd"), "--listen-client-urls", c.etcd, "--advertise-client-urls", c.etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync")
	_, port, _ := strings.Cut(c.apiserver, ":")
	c.start(t, "kube-apiserver", "--etcd-servers", c.etcd, "--bind-address", "127.0.0.1", "--secure-port", port,
		"--cert-dir", c.file("certs"), "--token-auth-file", c.file("tokens"), "--authorization-mode", "AlwaysAllow",
		"--service-account-issuer", "https://localhost", "--service-account-key-file", c.file("sa.key"), "--service-account-signing-key-file", c.file("sa.key"),
		"--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount", "--allow-privileged",
		"--kubelet-preferred-address-types", "Hostname")
	c.wait(t, "the apiserver is ready", func() bool { _, err := c.try("get", "--raw", "/readyz"); return err == nil })
	return c
}

// startNode adds what runs pods.
func (c *cluster) startNode(t *testing.T) {
	t.Helper()
	c.start(t, "kube-controller-manager", "--kubeconfig", c.kubeconfig, "--leader-elect=false", "--secure-port", "0")
	c.start(t, "kube-scheduler", "--kubeconfig", c.kubeconfig, "--leader-elect=false", "--secure-port", "0")
	c.start(t, "kubelet", "--kubeconfig", c.kubeconfig, "--config", c.file("kubelet.yaml"), "--hostname-override", "localhost",
		"--root-dir", "/var/lib/kubelet", "--cert-dir", c.file("kubelet-certs"))
	c.wait(t, "the node is ready", func() bool {
		out, err := c.try("get", "nodes", "--no-headers")
		return err == nil && strings.Contains(out, " Ready")
	})
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) writeFiles(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, kubeletPort, _ := strings.Cut(freePort(t), ":")
	c.kubeconfig = c.file("kubeconfig")
	// A CNI plugin that gives every pod the network namespace that it has.
	plugin := `#!/bin/sh
echo '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"'$CNI_NETNS'"}],"ips":[{"address":"10.1.0.2/24","interface":0}]}'
`
	for name, file := range map[string]struct {
		mode os.FileMode
		text string
	}{
		"sa.key":        {0o600, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))},
		"tokens":        {0o600, token + `,admin,admin,"system:masters"` + "\n"},
		"cni/bin/dummy": {0o755, plugin}, "cni/bin/loopback": {0o755, plugin},
		"cni/net.d/10-dummy.conflist": {0o644, `{"cniVersion":"1.0.0","name":"dummy","plugins":[{"type":"dummy"}]}`},
		"containerd.toml": {0o644, fmt.Sprintf(`version = 3
disabled_plugins = ["io.containerd.nri.v1.nri"]
[plugins."io.containerd.cri.v1.runtime"]
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [%q]
conf_dir = %q
`, c.file("cni/bin"), c.file("cni/net.d"))},
		"kubeconfig": {0o600, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, c.apiserver, token)},
		"kubelet.yaml": {0o644, fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://%s
port: %s
healthzPort: 0
readOnlyPort: 0
failSwapOn: false
failCgroupV1: false
cgroupsPerQOS: false
enforceNodeAllocatable: []
cgroupDriver: cgroupfs
resolvConf: ""
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
evictionHard: {memory.available: "0%%", nodefs.available: "0%%", imagefs.available: "0%%", nodefs.inodesFree: "0%%"}
`, socket, kubeletPort)},
	} {
		path := c.file(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
}

// start starts a program that ends with the test.
func (c *cluster) start(t *testing.T, program string, args ...string) {
	t.Helper()
	log, err := os.Create(c.file(program + ".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name()) // what there is
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			t.Logf("%s:\n%s", program, strings.Join(lines[max(0, len(lines)-12):], "\n"))
		}
	})
}

func (c *cluster) wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startDeadline); !done(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s it is not so that %s", startDeadline, what)
		}
	}
}

// try calls kubectl and gives what it prints.
func (c *cluster) try(args ...string) (string, error) {
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", c.kubeconfig, "--cache-dir", c.file("cache")}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.try(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tool gives the folder of a tool's programs, and builds them where they are
// not yet.
func tool(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command("../tools/build", name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return address
}
