package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fetched fetches a blob from a server by containerd's fetcher.
func fetched(t *testing.T, server *httptest.Server, p *patience, desc ispec.Descriptor) ([]byte, error) {
	t.Helper()
	host := strings.TrimPrefix(server.URL, "http://")
	resolver := docker.NewResolver(docker.ResolverOptions{Hosts: Config{PlainHTTP: true}.hosts(t.Context(), p)})
	fetcher, err := resolver.Fetcher(t.Context(), host+"/a:1")
	if err != nil {
		t.Fatal(err)
	}
	body, err := fetcher.Fetch(t.Context(), desc)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// TestStandingStill has a registry say nothing more, half way in a blob and
// before one: what is missing is asked for again.
func TestStandingStill(t *testing.T) {
	blob := bytes.Repeat([]byte("0123456789"), 1<<14)
	for name, sent := range map[string]int{"in the body": len(blob) / 2, "before the answer": -1} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			var ranged atomic.Value
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 {
					ranged.Store(r.Header.Get("Range"))
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
					return
				}
				if sent >= 0 {
					w.Header().Set("Content-Length", "163840")
					_, _ = w.Write(blob[:sent]) // the client hangs up
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			}))
			defer server.Close()
			p := newPatience(func(string) {})
			p.idle = 100 * time.Millisecond
			p.wait = func(context.Context, time.Duration) error { return nil }
			got, err := fetched(t, server, p, ispec.Descriptor{
				MediaType: ispec.MediaTypeImageLayer, Digest: digest.FromBytes(blob), Size: int64(len(blob)),
			})
			if err != nil || !bytes.Equal(got, blob) {
				t.Fatalf("%d bytes of %d, %v", len(got), len(blob), err)
			}
			if resumed := ranged.Load() == "bytes=81920-"; resumed != (sent > 0) {
				t.Errorf("asked for %q in the end", ranged.Load())
			}
		})
	}
}

// TestPatienceIsThePulls has a registry refuse everything: the waits of all
// requests of one pull are bounded together.
func TestPatienceIsThePulls(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	p := newPatience(func(string) {})
	var waited time.Duration
	p.wait = func(_ context.Context, d time.Duration) error {
		waited += d
		return nil
	}
	for i := range 3 {
		desc := ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer, Digest: digest.FromString("a"), Size: 1}
		if _, err := fetched(t, server, p, desc); err == nil {
			t.Fatalf("pull %d did not fail", i)
		}
	}
	if waited == 0 || waited > maxWaiting {
		t.Errorf("waited %v in all, want at most %v", waited, maxWaiting)
	}
}
