package integration_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// faulty stands before a registry and spoils its answers.
type faulty struct {
	// spoil may answer a request in the registry's place, and says whether it
	// did; n counts from 1 the requests for the same method and path.
	spoil func(w http.ResponseWriter, r *http.Request, n int) bool
	next  http.Handler

	mu    sync.Mutex
	count map[string]int
	// ranges are the Range headers that came.
	ranges []string
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	key := r.Method + " " + r.URL.Path
	f.count[key]++
	n := f.count[key]
	if ranged := r.Header.Get("Range"); ranged != "" {
		f.ranges = append(f.ranges, ranged)
	}
	f.mu.Unlock()
	if f.spoil == nil || !f.spoil(w, r, n) {
		f.next.ServeHTTP(w, r)
	}
}

// counted gives how often each method and path was requested so far: a client that
// ended may have left requests behind.
func (f *faulty) counted() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.count)
}

// before starts a proxy before the registry and gives it with its URL.
func (r *registry) before(t *testing.T, spoil func(http.ResponseWriter, *http.Request, int) bool) (*faulty, string) {
	t.Helper()
	f := &faulty{
		spoil: spoil, count: map[string]int{},
		next: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: r.scheme, Host: r.host}),
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

// largest is an image's largest blob, and its bytes.
func largest(c *imagetest.Content) (d digest.Digest, data []byte) {
	for other, bytes := range c.Blobs {
		if len(bytes) > len(data) {
			d, data = other, bytes
		}
	}
	return d, data
}

// sendPart answers with the first n bytes of a blob and breaks the connection:
// at once (reset), or in an orderly way.
func sendPart(w http.ResponseWriter, data []byte, n int, reset bool) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", len(data))
	if _, err := conn.Write(data[:n]); err != nil {
		return true
	}
	if reset {
		// What was sent is to arrive first.
		time.Sleep(100 * time.Millisecond)
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			panic(err)
		}
	}
	if err := conn.Close(); err != nil {
		panic(err)
	}
	return true
}

// answer answers with an error and, where after is not empty, Retry-After.
func answer(w http.ResponseWriter, status int, after string) bool {
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(status)
	return true
}

// send answers with a body; a client that has gone by then wants none.
func send(w http.ResponseWriter, body []byte) bool {
	_, _ = w.Write(body)
	return true
}

// page answers as a proxy does that wants a person to log in.
func page(w http.ResponseWriter, _ *http.Request, _ int) bool {
	w.Header().Set("Content-Type", "text/html")
	return send(w, []byte("<html>log in</html>"))
}

// schema1 answers as old registries do, with a digest of four times hex.
func schema1(hex string) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
		if hex != "" {
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat(hex, 4))
		}
		return send(w, []byte(`{"schemaVersion": 1}`))
	}
}

// TestRegistryRecovers pulls from a registry that fails for a while.
func TestRegistryRecovers(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	content := r.push(t, "standard:1", standard(t))
	want := archiveBytes(t, standard(t))
	blob, data := largest(content)
	isBlob := func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/blobs/"+blob.String()) }
	for name, c := range map[string]struct {
		spoil  func(w http.ResponseWriter, req *http.Request, n int) bool
		resume bool
	}{
		"cut": {func(w http.ResponseWriter, req *http.Request, n int) bool {
			return isBlob(req) && n == 1 && sendPart(w, data, len(data)/2, false)
		}, true},
		"reset": {func(w http.ResponseWriter, req *http.Request, n int) bool {
			return isBlob(req) && n == 1 && sendPart(w, data, len(data)/2, true)
		}, true},
		"503": {func(w http.ResponseWriter, _ *http.Request, n int) bool {
			return n == 1 && answer(w, http.StatusServiceUnavailable, "")
		}, false},
		"429 with Retry-After": {func(w http.ResponseWriter, req *http.Request, n int) bool {
			return isBlob(req) && n <= 2 && answer(w, http.StatusTooManyRequests, "1")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, url := r.before(t, c.spoil)
			o := ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--reproducible",
				"--hosts-dir", servedBy(t, url), standardName)
			if string(o.stdout) != string(want) {
				t.Errorf("%d bytes differ from the archive's %d", len(o.stdout), len(want))
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if c.resume && (len(f.ranges) != 1 || f.ranges[0] == "bytes=0-") {
				t.Errorf("the blob was not resumed: Range headers %q", f.ranges)
			}
		})
	}
}

// TestRegistryFails pulls from a registry that does not recover: one line says
// why and what to do, and the daemon is left as it was.
func TestRegistryFails(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	content := r.push(t, "standard:1", standard(t))
	blob, data := largest(content)
	isBlob := func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/blobs/"+blob.String()) }
	wrong := append([]byte(nil), data...)
	wrong[len(wrong)/2] ^= 0xff
	always := func(status int, after string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ int) bool { return answer(w, status, after) }
	}
	before := d.Left(t, "default", "overlayfs")
	for name, c := range map[string]struct {
		spoil  func(w http.ResponseWriter, req *http.Request, n int) bool
		status int
		wants  []string
	}{
		"wrong digest": {func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && send(w, wrong)
		}, statusFailed, []string{"something else than the manifest says", blob.String(), "try again"}},
		"too many bytes": {func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && send(w, append(append([]byte(nil), data...), 0))
		}, statusFailed, []string{"something else than the manifest says"}},
		"cut for ever": {func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && sendPart(w, data, 0, false)
		}, statusFailed, []string{"cut", "try again"}},
		"503 for ever":        {always(http.StatusServiceUnavailable, ""), statusFailed, []string{"503 Service Unavailable", "try again later"}},
		"429 for hours":       {always(http.StatusTooManyRequests, "7200"), statusFailed, []string{"429 Too Many Requests", "2h0m0s", "--creds"}},
		"500":                 {always(http.StatusInternalServerError, ""), statusFailed, []string{"500 Internal Server Error"}},
		"403":                 {always(http.StatusForbidden, ""), statusFailed, []string{"403 Forbidden", "--creds"}},
		"404 of the manifest": {always(http.StatusNotFound, ""), statusNotFound, []string{"the registry has no such image"}},
		"a page":              {page, statusFailed, []string{`the media type "text/html" is no image's`, "is the name right"}},
		"schema 1":            {schema1("0123456789abcdef"), statusFailed, []string{"docker's schema 1", "pushed again"}},
		"schema 1 undigested": {schema1(""), statusFailed, []string{"docker's schema 1", "pushed again"}},
		"redirected in a circle": {func(w http.ResponseWriter, req *http.Request, _ int) bool {
			http.Redirect(w, req, "/v2/", http.StatusFound)
			return true
		}, statusFailed, []string{`": stopped after 10 redirects`}},
		"404 of a blob": {func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && answer(w, http.StatusNotFound, "")
		}, statusFailed, []string{"lacks a part of the image", blob.String()}},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := r.before(t, c.spoil)
			out := filepath.Join(t.TempDir(), "out.tar")
			o := invocation{args: []string{"export", "--address", d.Address, "--hosts-dir", servedBy(t, url), "-o", out, standardName}}.run(t)
			if _, err := os.Stat(out); o.status != c.status || !os.IsNotExist(err) {
				t.Errorf("exit status %d, want %d; the output: %v", o.status, c.status, err)
			}
			checkError(t, o.stderr, append(c.wants, standardName)...)
			if left := d.Left(t, "default", "overlayfs").Since(before); strings.Contains(left, "image") || strings.Contains(left, "lease") {
				t.Errorf("it left:\n%s", left)
			}
		})
	}
	d.Collect(t)
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("after a collection they left:\n%s", left)
	}
	if blobs := d.Ctr(t, "content", "list", "--quiet") + d.Ctr(t, "content", "active"); strings.Contains(blobs, "sha256:") {
		t.Errorf("after a collection there is content:\n%s", blobs)
	}
	// What was damaged is not gone on from.
	o := ctrRootfs(t, "export", "--address", d.Address, "--hosts-dir", servedBy(t, "http://"+r.host), standardName)
	readTar(t, o.stdout)
}

// TestDamagedIsNotKept pulls again at once what came damaged, before any
// collection.
func TestDamagedIsNotKept(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	blob, data := largest(r.push(t, "standard:1", standard(t)))
	_, url := r.before(t, func(w http.ResponseWriter, req *http.Request, n int) bool {
		return n == 1 && strings.HasSuffix(req.URL.Path, "/blobs/"+blob.String()) && send(w, make([]byte, len(data)))
	})
	args := []string{"export", "--address", d.Address, "--hosts-dir", servedBy(t, url), standardName}
	if o := (invocation{args: args}).run(t); o.status != statusFailed {
		t.Fatalf("exit status %d for a damaged blob:\n%s", o.status, o.stderr)
	}
	readTar(t, ctrRootfs(t, args...).stdout)
}

// checkError wants the last line of stderr to be the only one that is no
// course of things, and to say all of wants.
func checkError(t *testing.T, stderr string, wants ...string) {
	t.Helper()
	var told []string
	for _, line := range errorLines(stderr) {
		if !strings.Contains(line, ": trying again in ") {
			told = append(told, line)
		}
	}
	if len(told) != 1 {
		t.Fatalf("%d lines on stderr, want 1:\n%s", len(told), stderr)
	}
	for _, want := range wants {
		if !strings.Contains(told[0], want) {
			t.Errorf("%q does not say %q", told[0], want)
		}
	}
	if strings.Contains(told[0], "rpc error") {
		t.Errorf("%q shows the user an inner error", told[0])
	}
}

// archiveBytes is the reproducible export of an image from an archive.
func archiveBytes(t *testing.T, image imagetest.Image) []byte {
	t.Helper()
	return ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--reproducible",
		"oci-archive:"+writeArchive(t, "", image)).stdout
}
