package integration_test

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// marked is an image that holds one file of a name, for a platform of Linux.
func marked(architecture, name string) imagetest.Image {
	return imagetest.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: architecture},
		Layers:   []imagetest.Layer{{imagetest.File(name, 0o644, "")}},
	}
}

// onlyFile wants a tar of one file.
func onlyFile(t *testing.T, tar []byte, name string) {
	t.Helper()
	if l := readTar(t, tar); len(l) != 1 || l[0].Path != name {
		t.Errorf("want %q alone, got:\n%s", name, l)
	}
}

// TestPull pulls into a daemon and into an embedded store: the same bytes as
// from an archive, by tag and by digest, for this platform and for others.
func TestPull(t *testing.T) {
	d, old := daemon.Start(t, daemon.Options{}), daemon.Start(t, daemon.Options{Tool: "containerd-1.7"})
	r := startRegistry(t, registryOptions{})
	content := r.push(t, "standard:1", standard(t))
	r.push(t, "multi:1", marked("amd64", "on-amd64"), marked("arm64", "on-arm64"), marked("s390x", "on-s390x"))
	r.push(t, "foreign:1", marked("s390x", "on-s390x"))
	tagged := r.push(t, "tagged:1", marked(runtime.GOARCH, "tagged"))
	want := archiveBytes(t, standard(t))
	name := r.host + "/standard"
	for where, store := range map[string][]string{
		"daemon":     {"--address", d.Address},
		"daemon 1.7": {"--address", old.Address},
		"embedded":   {"--store", filepath.Join(t.TempDir(), "store")},
	} {
		export := func(args ...string) outcome {
			return invocation{args: append(append([]string{"export", "--profile", "none"}, store...), args...)}.run(t)
		}
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			for _, source := range []string{name + ":1", name + "@" + content.Index.Manifests[0].Digest.String(), name + ":1"} {
				o := invocation{args: append(append([]string{"export", "--reproducible"}, store...), source)}.succeed(t)
				if !bytes.Equal(o.stdout, want) {
					t.Errorf("%s: %d bytes differ from the archive's %d", source, len(o.stdout), len(want))
				}
			}
			// The tag before a digest does not count, and other repositories do not.
			byDigest := "@" + tagged.Index.Manifests[0].Digest.String()
			o := export("--pull", "never", r.host+"/tagged"+byDigest)
			checkPulling(t, o, statusNotFound, "not found", "--pull")
			onlyFile(t, export(r.host+"/tagged:1").stdout, "tagged")
			for _, tag := range []string{"", ":1", ":2"} {
				onlyFile(t, export("--pull", "never", r.host+"/tagged"+tag+byDigest).stdout, "tagged")
			}
			o = export("--pull", "never", name+byDigest)
			checkPulling(t, o, statusNotFound, "not found", "--pull")
			for _, architecture := range []string{"arm64", "s390x"} {
				onlyFile(t, export("--platform", "linux/"+architecture, r.host+"/multi:1").stdout, "on-"+architecture)
			}
			o = export("--platform", "linux/riscv64", "--pull", "always", r.host+"/multi:1")
			checkPulling(t, o, statusNotFound, "linux/riscv64", "linux/arm64", "--platform")
			o = export("--platform", "linux/riscv64", r.host+"/foreign:1")
			checkPulling(t, o, statusNotFound, "linux/riscv64", "linux/s390x")
			o = export("--pull", "never", r.host+"/foreign:1")
			checkPulling(t, o, statusNotFound, "not found", "--pull")
			o = export(r.host + "/none:1")
			checkPulling(t, o, statusNotFound, r.host+"/none:1", "no such image")
		})
	}
}

// checkPulling wants an error whose course names the registry by its address.
func checkPulling(t *testing.T, o outcome, status int, wants ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("exit status %d, want %d", o.status, status)
	}
	var lines []string
	for _, line := range errorLines(o.stderr) {
		if !strings.HasPrefix(line, "ctr-rootfs: pulling 127.0.0.1:") {
			lines = append(lines, line+"\n")
		}
	}
	checkError(t, strings.Join(lines, ""), wants...)
}

// TestPullPolicy moves a tag in the registry and sees which export follows.
func TestPullPolicy(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	store := filepath.Join(t.TempDir(), "store")
	export := func(policy string) []byte {
		return ctrRootfs(t, "export", "--store", store, "--profile", "none", "--platform", "linux/amd64", "--pull", policy, r.host+"/moved:1").stdout
	}
	r.push(t, "moved:1", marked("amd64", "old"))
	onlyFile(t, export("missing"), "old")
	r.push(t, "moved:1", marked("amd64", "new"))
	onlyFile(t, export("never"), "old")
	onlyFile(t, export("missing"), "old")
	onlyFile(t, export("always"), "new")
	onlyFile(t, export("never"), "new")
}

// TestRegistryHosts reaches registries by hosts.toml: mirrors, authorities and
// plain HTTP.
func TestRegistryHosts(t *testing.T) {
	needsRoot(t)
	ca := newAuthority(t)
	open, secure := startRegistry(t, registryOptions{}), startRegistry(t, registryOptions{tls: ca})
	open.push(t, "standard:1", marked("amd64", "open"))
	secure.push(t, "standard:1", marked("amd64", "secure"))
	down := "http://" + freePort(t)
	busy, busyURL := open.before(t, func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		return answer(w, http.StatusTooManyRequests, "20")
	})
	t.Cleanup(func() {
		if n := busy.counted()["HEAD /v2/standard/manifests/1"]; n != 1 {
			t.Errorf("the busy mirror was asked %d times, want once", n)
		}
	})
	mirrors := func(urls ...string) string {
		text := fmt.Sprintf("server = %q\n", "http://"+open.host)
		for _, url := range urls {
			text += fmt.Sprintf("[host.%q]\ncapabilities = [\"pull\", \"resolve\"]\n", url)
		}
		return text
	}
	for _, c := range []struct {
		name, toml string
		args       []string
		// file is what the image holds, else the error says wants.
		file  string
		wants []string
	}{
		{name: "plain server", toml: mirrors(), file: "open"},
		{name: "mirror that is down", toml: mirrors(down), file: "open"},
		{name: "mirror that is busy", toml: mirrors(busyURL), file: "open"},
		{name: "mirrors in order", toml: fmt.Sprintf("server = %q\n[host.%q]\n[host.%q]\nca = %q\n", "http://"+open.host, down, "https://"+secure.host, ca.certificate), file: "secure"},
		{name: "authority", toml: fmt.Sprintf("server = %q\nca = %q\n", "https://"+secure.host, ca.certificate), file: "secure"},
		{name: "no authority", toml: fmt.Sprintf("server = %q\n", "https://"+secure.host), wants: []string{"certificate", "hosts.toml", "--skip-verify"}},
		{name: "no authority, skipped", toml: fmt.Sprintf("server = %q\n", "https://"+secure.host), args: []string{"--skip-verify"}, file: "secure"},
		{name: "HTTP where HTTPS is said", toml: fmt.Sprintf("server = %q\n", "https://"+open.host), wants: []string{"plain HTTP", "--plain-http"}},
		{name: "all down", toml: fmt.Sprintf("server = %q\n", down), wants: []string{"connection refused", "hosts.toml"}},
		{name: "no TOML", toml: "server = [\n", wants: []string{"hosts.toml", "example.com"}},
		{name: "unknown capability", toml: mirrors() + "[host.\"http://a\"]\ncapabilities = [\"fly\"]\n", wants: []string{"fly"}},
		{name: "missing authority", toml: "ca = \"none.pem\"\n", wants: []string{"none.pem"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--platform", "linux/amd64",
				"--hosts-dir", hostsDir(t, "example.com", c.toml)}, c.args...)
			if c.file != "" {
				onlyFile(t, ctrRootfs(t, append(args, standardName)...).stdout, c.file)
				return
			}
			o := invocation{args: append(args, standardName)}.run(t)
			if o.status != statusFailed {
				t.Errorf("exit status %d, want %d", o.status, statusFailed)
			}
			checkError(t, o.stderr, append(c.wants, "example.com")...)
		})
	}
}

// TestPlainHTTP reaches a registry by a name that is not this host's: a proxy
// stands in for the network.
func TestPlainHTTP(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	r.push(t, "standard:1", marked("amd64", "open"))
	_, proxy := r.before(t, nil)
	export := invocation{
		args: []string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--platform", "linux/amd64",
			"--hosts-dir", t.TempDir(), "registry.invalid/standard:1"},
		env: []string{"HTTP_PROXY=" + proxy, "HTTPS_PROXY="},
	}
	o := export.run(t)
	if o.status != statusFailed || !strings.Contains(o.stderr, "registry.invalid") || !strings.Contains(o.stderr, "is the registry's name right?") {
		t.Errorf("by HTTPS: exit status %d:\n%s", o.status, o.stderr)
	}
	export.args = append(export.args, "--plain-http")
	onlyFile(t, export.succeed(t).stdout, "open")
}

// TestPullWithoutArchitecture pulls an image whose index names no architecture and
// lists nothing else but an attestation, and one beside an image for this machine.
func TestPullWithoutArchitecture(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	attestation := marked("unknown", "attestation")
	attestation.Platform.OS = "unknown"
	r.push(t, "alone:1", marked("", "unnamed"), attestation)
	r.push(t, "beside:1", marked("", "unnamed"), marked(runtime.GOARCH, "named"))
	for _, via := range []string{"layers", "view"} {
		for name, file := range map[string]string{"alone": "unnamed", "beside": "named"} {
			args := []string{"export", "--address", d.Address, "--profile", "none", "--plain-http", "--pull", "always", "--via", via, r.host + "/" + name + ":1"}
			onlyFile(t, ctrRootfs(t, args...).stdout, file)
		}
	}
}
