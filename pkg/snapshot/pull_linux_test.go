package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// counter is a registry of one repository, app, that counts what is asked for.
type counter struct {
	documents
	tags map[string]ispec.Descriptor

	mu    sync.Mutex
	asked map[digest.Digest]int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reference := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	desc, tagged := c.tags[reference]
	if !tagged {
		desc = ispec.Descriptor{MediaType: "application/octet-stream", Digest: digest.Digest(reference)}
	}
	data, has := c.documents[desc.Digest]
	if !has {
		http.NotFound(w, r)
		return
	}
	c.mu.Lock()
	c.asked[desc.Digest]++
	c.mu.Unlock()
	w.Header().Set("Content-Type", desc.MediaType)
	w.Header().Set("Docker-Content-Digest", desc.Digest.String())
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// serve starts it, and gives its address.
func (c *counter) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// emptyTar is a layer of one directory.
func emptyTar(t *testing.T, name string) []byte {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return layer.Bytes()
}

// TestPullIsOfWhatWasChosen pulls, from an index that lists an artifact for the same
// platform first, the image alone: its name then stands for the whole index. What lies
// (an index that is a manifest, too; a rootfs of another type; a document of another
// size) is not pulled at all: no layer is asked for, nothing is unpacked or named.
func TestPullIsOfWhatWasChosen(t *testing.T) {
	needRoot(t)
	s := newShelf()
	data := emptyTar(t, "pulled")
	layer := s.add(ispec.MediaTypeImageLayer, data)
	config := ispec.Image{Platform: platforms.MustParse("linux/arm"), RootFS: ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(data)}}}
	versioned := specs.Versioned{SchemaVersion: 2}
	good := ispec.Manifest{Versioned: versioned, Config: s.json(ispec.MediaTypeImageConfig, config), Layers: []ispec.Descriptor{layer}}
	image := with(s.manifest(good), "linux/arm/v6", "", "")
	signature := with(s.about(nil, "", ispec.MediaTypeImageConfig, "application/vnd.dev.cosign.simplesigning.v1+json"), "linux/arm/v6", "", "")
	huge := ispec.Manifest{Versioned: versioned, Config: s.add(ispec.MediaTypeEmptyJSON, []byte(`{}`)), Layers: []ispec.Descriptor{s.add("application/vnd.ollama.image.model", []byte("a model"))}}
	index := s.index(signature, with(s.manifest(huge), "linux/arm/v6", "", ""), image)

	other, smaller := good, good
	config.RootFS.Type = "layers+base"
	other.Config = s.json(ispec.MediaTypeImageConfig, config)
	smaller.Config.Size--
	both := s.add(ispec.MediaTypeImageManifest, []byte(fmt.Sprintf(`{"config":%s,"layers":[%s],"manifests":[]}`, described(good.Config), described(layer))))
	embedded := good
	embedded.Config.Data = []byte("another")
	r := &counter{documents: s.documents, asked: map[digest.Digest]int{}, tags: map[string]ispec.Descriptor{
		"good": index, "chart": s.manifest(huge), "other": s.manifest(other), "smaller": s.manifest(smaller), "both": both,
		"embedded": s.manifest(embedded), "inner": s.index(with(both, "linux/arm/v6", "", ""), image),
		"outer": s.add(ispec.MediaTypeImageIndex, []byte(fmt.Sprintf(`{"manifests":[%s],"layers":[]}`, described(image)))),
	}}
	host := r.serve(t)
	for tag, said := range map[string]string{
		"good": "", "chart": "it is a model, not an image", "other": `its rootfs has the type "layers+base"`, "smaller": "the registry sent something else",
		"both": `it has "manifests"`, "embedded": "its descriptor embeds 7 bytes", "inner": `it has "manifests"`, "outer": `it has "layers"`,
	} {
		for _, via := range []Via{ViaLayers, ViaView} {
			clear(r.asked)
			store, err := Open(t.Context(), Options{Location: Location{Dir: filepath.Join(t.TempDir(), "store")}})
			if err != nil {
				t.Fatal(err)
			}
			src, err := ParseSource(host + "/app:" + tag)
			if err != nil {
				t.Fatal(err)
			}
			v, err := store.View(t.Context(), Request{Source: src, Platform: "linux/arm/v6", Via: via, Registry: Registry{PlainHTTP: true}})
			name := fmt.Sprintf("%s by %s", tag, via)
			if said != "" {
				if err == nil || !strings.Contains(err.Error(), said) {
					t.Errorf("%s: error %v, want %q", name, err, said)
				}
				r.check(t, name, store, layer, nil)
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if v.Image.PlatformText() != "linux/arm/v6" || v.Image.Manifest.Digest != image.Digest || v.Image.Target.Digest != index.Digest {
				t.Errorf("%s: %s %s of %s, want linux/arm/v6 %s of %s", name, v.Image.PlatformText(), v.Image.Manifest.Digest, v.Image.Target.Digest, image.Digest, index.Digest)
			}
			if v.Root != nil {
				if err := v.Root.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := v.Close(t.Context()); err != nil {
				t.Error(err)
			}
			r.check(t, name, store, layer, []string{src.Name + " " + index.Digest.String()})
			if n := r.asked[huge.Layers[0].Digest] + r.asked[s.add("", []byte(`[]`)).Digest]; n != 0 {
				t.Errorf("%s: blobs of artifacts were asked for %d times", name, n)
			}
		}
	}
}

// check compares the images of a store with those that it should have; without any,
// nothing was fetched or unpacked of a layer, either.
func (c *counter) check(t *testing.T, name string, s *Store, layer ispec.Descriptor, want []string) {
	t.Helper()
	var got []string
	unpacked := 0
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		records, err := sess.client.ImageService().List(ctx)
		for _, record := range records {
			got = append(got, record.Name+" "+record.Target.Digest.String())
		}
		if err != nil {
			return err
		}
		return sess.client.SnapshotService(overlaySnapshotter).Walk(ctx, func(context.Context, snapshots.Info) error {
			unpacked++
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the store has %q, want %q", name, got, want)
	}
	if asked := c.asked[layer.Digest]; len(want) == 0 && (asked != 0 || unpacked != 0) || len(want) != 0 && asked != 1 {
		t.Errorf("%s: the layer was asked for %d times, %d snapshots are there", name, asked, unpacked)
	}
}
