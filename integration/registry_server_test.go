package integration_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// The user of a registry that wants one. The password has a colon, which
// basic auth allows in it, but not in a user.
const (
	registryUser     = "tester"
	registryPassword = "pa55:word-of-the-tests"
	registryHtpasswd = registryUser + ":$2a$04$jL2.mNmVlfSKZ16beUcrd.LZdnTBOvFYm6mG98jaIPReJMBU7VWFW\n"
)

// registryOptions say which registry to start; the zero value is open and
// speaks HTTP.
type registryOptions struct {
	auth bool
	tls  *authority
}

// registry is a running distribution registry on a loopback port.
type registry struct {
	// host is its address and port.
	host   string
	scheme string
	auth   bool
	client *http.Client
}

// startRegistry starts distribution's registry, and ends it with the test.
func startRegistry(t *testing.T, o registryOptions) *registry {
	t.Helper()
	bin, err := tools.Dir(context.Background(), "registry")
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{host: freePort(t), scheme: "http", auth: o.auth, client: &http.Client{}}
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}}\n", filepath.Join(dir, "data"))
	if o.auth {
		config += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", writeFile(t, "htpasswd", []byte(registryHtpasswd)))
	}
	config += fmt.Sprintf("http:\n  addr: %q\n", r.host)
	if o.tls != nil {
		r.scheme = "https"
		r.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.tls.pool}}
		config += fmt.Sprintf("  tls: {certificate: %q, key: %q}\n", o.tls.certificate, o.tls.key)
	}
	r.run(t, filepath.Join(bin, "registry"), writeFile(t, "config.yml", []byte(config)))
	return r
}

// run starts the program on a thread that lives as long as it does, for
// Pdeathsig goes by thread, and waits until it answers.
func (r *registry) run(t *testing.T, program, config string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting the registry: %v", err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("ending the registry: %v", err)
		}
		<-ended //nolint:errcheck // it was killed
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := r.client.Get(r.scheme + "://" + r.host + "/v2/")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the registry does not answer: %v", err)
		}
	}
}

// freePort gives a loopback address that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return host
}

// push puts an image, or one image of many platforms, into the registry, under
// a name like "standard:1".
func (r *registry) push(t *testing.T, name string, images ...imagetest.Image) *imagetest.Content {
	t.Helper()
	content, err := imagetest.Build(name, images...)
	if err != nil {
		t.Fatal(err)
	}
	repository, tag, _ := strings.Cut(name, ":")
	root := content.Index.Manifests[0]
	manifests := []ispec.Descriptor{root}
	if root.MediaType == ispec.MediaTypeImageIndex {
		var index ispec.Index
		if err := json.Unmarshal(content.Blobs[root.Digest], &index); err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests[:0], index.Manifests...)
		manifests = append(manifests, root) // after those that it names
	}
	for d, data := range content.Blobs {
		if !slices.ContainsFunc(manifests, func(m ispec.Descriptor) bool { return m.Digest == d }) {
			location := r.send(t, http.MethodPost, r.scheme+"://"+r.host+"/v2/"+repository+"/blobs/uploads/", "", nil)
			r.send(t, http.MethodPut, location+"&digest="+d.String(), "application/octet-stream", data)
		}
	}
	for _, m := range manifests {
		reference := m.Digest.String()
		if m.Digest == root.Digest {
			reference = tag
		}
		r.send(t, http.MethodPut, r.scheme+"://"+r.host+"/v2/"+repository+"/manifests/"+reference, m.MediaType, content.Blobs[m.Digest])
	}
	return content
}

// send makes one request of a push, and gives the Location that it answers.
func (r *registry) send(t *testing.T, method, url, mediaType string, body []byte) string {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	if r.auth {
		req.SetBasicAuth(registryUser, registryPassword)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(resp.Body) // whatever there is of it
		t.Fatalf("%s %s: %s\n%s", method, url, resp.Status, text)
	}
	return resp.Header.Get("Location")
}

// hostsDir writes the hosts.toml of a registry and gives --hosts-dir.
func hostsDir(t *testing.T, registry, toml string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, registry), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, registry, "hosts.toml"), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// servedBy is the hosts.toml that has example.com served from a URL.
func servedBy(t *testing.T, url string) string {
	t.Helper()
	return hostsDir(t, "example.com", fmt.Sprintf("server = %q\n", url))
}

// authority is a certificate that vouches for itself, for the loopback
// address, and its key.
type authority struct {
	certificate, key string
	pool             *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &authority{
		certificate: writeFile(t, "ca.pem", text),
		key:         writeFile(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})),
		pool:        pool,
	}
}
