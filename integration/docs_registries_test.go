package integration_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// docsHosts gives a --hosts-dir in which docker.io is the registry r, that
// holds content, and the hosts of docs/troubleshooting.md are what their names
// say.
func docsHosts(t *testing.T, r *registry, content *imagetest.Content) string {
	t.Helper()
	blob, data := largest(content)
	isBlob := func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/blobs/"+blob.String()) }
	spoiled := func(spoil func(w http.ResponseWriter, req *http.Request, n int) bool) string {
		_, url := r.before(t, spoil)
		return url
	}
	answers := func(status int, after string) string {
		return spoiled(func(w http.ResponseWriter, _ *http.Request, _ int) bool { return answer(w, status, after) })
	}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // the client breaks off
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	dir := t.TempDir()
	for host, server := range map[string]string{
		"docker.io":             "http://" + r.host,
		"plain.example.com":     "https://" + r.host,
		"untrusted.example.com": untrusted.URL,
		"gone.example.com":      "http://" + freePort(t),
		"private.example.com":   answers(http.StatusForbidden, ""),
		"busy.example.com":      answers(http.StatusTooManyRequests, "7200"),
		"broken.example.com":    answers(http.StatusInternalServerError, ""),
		"damaged.example.com": spoiled(func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && send(w, make([]byte, len(data)))
		}),
		"incomplete.example.com": spoiled(func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && answer(w, http.StatusNotFound, "")
		}),
		"page.example.com": spoiled(page),
		"old.example.com":  spoiled(schema1("")),
		"cut.example.com": spoiled(func(w http.ResponseWriter, req *http.Request, _ int) bool {
			return isBlob(req) && sendPart(w, data, 0, false)
		}),
	} {
		if err := os.Mkdir(filepath.Join(dir, host), 0o700); err != nil {
			t.Fatal(err)
		}
		toml := fmt.Sprintf("server = %q\n", server)
		if err := os.WriteFile(filepath.Join(dir, host, "hosts.toml"), []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
