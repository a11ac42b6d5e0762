package integration_test

import (
	"archive/tar"
	"bytes"
	_ "crypto/sha256" // go-digest finds the algorithm only where it is linked in
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestHugePasswd: an image's etc/passwd of 1 GiB is refused by its size, and
// takes no memory.
func TestHugePasswd(t *testing.T) {
	needsRoot(t)
	const gibibyte = 1 << 30
	layout := filepath.Join(t.TempDir(), "layout")
	writeHugeLayout(t, layout, gibibyte)
	got, used := measured(t, plainProgram(t), "spec", "--store", filepath.Join(t.TempDir(), "store"), "oci:"+layout)
	const words = `"etc/passwd": its 1073741824 bytes are over the limit`
	if got.status != statusFailed || !strings.Contains(got.stderr, words) {
		t.Errorf("exit status %d, %q; want %d, %q", got.status, got.stderr, statusFailed, words)
	}
	if used == 0 || used > 128<<20 {
		t.Errorf("it took %d bytes of memory", used)
	}
}

// writeHugeLayout writes an OCI layout, of an image that runs as
// app and has an etc/passwd of so many zero bytes.
func writeHugeLayout(t *testing.T, dir string, size int64) {
	t.Helper()
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	layer := writeHugeLayer(t, blobs, size)
	config := writeBlob(t, blobs, ispec.MediaTypeImageConfig, ispec.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Config:   ispec.ImageConfig{User: "app", Cmd: []string{"/x"}},
		RootFS:   ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}},
	})
	version := specs.Versioned{SchemaVersion: 2}
	manifest := writeBlob(t, blobs, ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned: version, MediaType: ispec.MediaTypeImageManifest, Config: config, Layers: []ispec.Descriptor{layer},
	})
	writeJSON(t, filepath.Join(dir, ispec.ImageIndexFile), ispec.Index{
		Versioned: version, MediaType: ispec.MediaTypeImageIndex, Manifests: []ispec.Descriptor{manifest},
	})
	writeJSON(t, filepath.Join(dir, ispec.ImageLayoutFile), ispec.ImageLayout{Version: ispec.ImageLayoutVersion})
}

// writeHugeLayer writes the layer as it is, with a hole in the place of its
// zeros; the digest of the blob is its diff ID, too.
func writeHugeLayer(t *testing.T, blobs string, size int64) ispec.Descriptor {
	t.Helper()
	sum := digest.SHA256.Digester()
	var header bytes.Buffer
	if err := tar.NewWriter(&header).WriteHeader(&tar.Header{Name: "etc/passwd", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	const end = 1024 // two zero blocks
	total := int64(header.Len()) + size + end
	if _, err := io.Copy(sum.Hash(), io.MultiReader(bytes.NewReader(header.Bytes()), io.LimitReader(zeros{}, size+end))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(blobs, sum.Digest().Encoded())
	if err := os.WriteFile(path, header.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, total); err != nil {
		t.Fatal(err)
	}
	return ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer, Digest: sum.Digest(), Size: total}
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func writeBlob(t *testing.T, blobs, mediaType string, v any) ispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(data)
	writeJSON(t, filepath.Join(blobs, d.Encoded()), v)
	return ispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
