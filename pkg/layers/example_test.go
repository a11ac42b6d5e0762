package layers_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
)

// Blobs may come from anywhere: here the second layer takes a file of the first
// away.
func ExampleOpen() {
	image := []layers.Layer{
		layerOf("etc/motd", "Welcome\n", "etc/old", "gone soon"),
		layerOf("etc/.wh.old", ""),
	}
	tree, err := layers.Open(context.Background(), image, layers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close() //nolint:errcheck // it was only read
	err = tree.Walk(context.Background(), func(e *export.Entry) error {
		fmt.Println(e.Path, e.Size)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// etc 0
	// etc/motd 8
}

// inMemory is a Blob of bytes.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// layerOf makes a layer of files: a name, its content, and so on.
func layerOf(files ...string) layers.Layer {
	var blob bytes.Buffer
	w := tar.NewWriter(&blob)
	for i := 0; i < len(files); i += 2 {
		body := files[i+1]
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(body))}); err != nil {
			log.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	sum := digest.FromBytes(blob.Bytes())
	return layers.Layer{
		Descriptor: ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer, Digest: sum, Size: int64(blob.Len())},
		DiffID:     sum, // the blob is not compressed
		Open: func(context.Context) (layers.Blob, error) {
			return inMemory{bytes.NewReader(blob.Bytes())}, nil
		},
	}
}
