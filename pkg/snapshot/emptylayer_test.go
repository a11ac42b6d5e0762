package snapshot

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// TestCheckStart looks at layers that a daemon may have made empty ones of.
func TestCheckStart(t *testing.T) {
	zipped := func(data []byte) []byte {
		t.Helper()
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	zeros := make([]byte, 3*inflate.BufferSize)
	noise := append(bytes.Clone(zeros), "noise"...)
	for name, c := range map[string]struct {
		mediaType string
		data      []byte
		refused   bool
	}{
		"nothing":           {ispec.MediaTypeImageLayer, nil, false},
		"zeros":             {ispec.MediaTypeImageLayer, zeros, false},
		"zeros, gzipped":    {ispec.MediaTypeImageLayerGzip, zipped(zeros), false},
		"zeros and noise":   {ispec.MediaTypeImageLayer, noise, true},
		"noise, gzipped":    {ispec.MediaTypeImageLayerGzip, zipped(noise), true},
		"noise alone":       {ispec.MediaTypeImageLayer, bytes.Repeat([]byte("noise"), 300), false},
		"cut gzip":          {ispec.MediaTypeImageLayerGzip, zipped(noise)[:20], false},
		"half a gzip magic": {ispec.MediaTypeImageLayerGzip, []byte{0x1f, 0x8b, 8}, false},
		"of another type":   {"application/vnd.oci.image.layer.v1.tar+encrypted", noise, false},
	} {
		blobs := memoryCollection{documents: documents{}}
		err := checkStart(t.Context(), blobs, blobs.add(c.mediaType, c.data))
		var content *LayerContentError
		if errors.As(err, &content) != c.refused || err != nil && !c.refused {
			t.Errorf("%s: error %v, refused: want %v", name, err, c.refused)
		}
	}
	absent := ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer, Digest: digest.FromString("absent")}
	if err := checkStart(t.Context(), memoryCollection{documents: documents{}}, absent); err != nil {
		t.Errorf("a blob that was discarded: %v", err)
	}
}
