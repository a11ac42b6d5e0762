package snapshot_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// An archive's layers are read without a store, a mount or privilege.
func ExampleOpenArchive() {
	dir := writeLayout()
	defer os.RemoveAll(dir) //nolint:errcheck // an example leaves its folder at worst
	ctx := context.Background()

	source, err := snapshot.ParseSource("oci:" + dir)
	if err != nil {
		log.Fatal(err)
	}
	view, err := snapshot.OpenArchive(ctx, snapshot.Request{Source: source, Platform: "linux/amd64"}, snapshot.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var blobs []layers.Layer
	for _, l := range view.Layers {
		blobs = append(blobs, layers.Layer(l))
	}
	tree, err := layers.Open(ctx, blobs, layers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	report, err := export.Write(ctx, tree, export.NewTar(io.Discard))
	// The tree before the view, which holds the archive open.
	if err := errors.Join(err, tree.Close(), view.Close(ctx)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(view.Image.Config.Config.Cmd, report.RegularFiles, "file of", report.Bytes, "bytes")
	// Output: [/hello] 1 file of 6 bytes
}

// SOURCE as the command takes it: a short name is what docker makes of it.
func ExampleParseSource() {
	for _, text := range []string{"alpine", "oci-archive:app.tar:v1", "pod:kube-system/coredns"} {
		source, err := snapshot.ParseSource(text)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %q %q\n", source.Kind, source.Name, source.Ref)
	}
	// Output:
	// image "docker.io/library/alpine:latest" ""
	// oci-archive "app.tar" "v1"
	// pod "kube-system/coredns" ""
}

// writeLayout makes an OCI layout of one image, of one layer, of one file.
func writeLayout() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	var layer bytes.Buffer
	out := tar.NewWriter(&layer)
	err = out.WriteHeader(&tar.Header{Name: "hello", Mode: 0o755, Size: 6})
	if err != nil {
		log.Fatal(err)
	}
	if _, err = io.WriteString(out, "hello\n"); err != nil {
		log.Fatal(err)
	}
	if err = out.Close(); err != nil {
		log.Fatal(err)
	}
	platform := ispec.Platform{OS: "linux", Architecture: "amd64"}
	config := asJSON(ispec.Image{
		Platform: platform,
		Config:   ispec.ImageConfig{Cmd: []string{"/hello"}},
		RootFS:   ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer.Bytes())}},
	})
	manifest := ispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ispec.MediaTypeImageManifest,
		Config:    writeBlob(dir, ispec.MediaTypeImageConfig, config),
		Layers:    []ispec.Descriptor{writeBlob(dir, ispec.MediaTypeImageLayer, layer.Bytes())},
	}
	writeFile(dir, "index.json", asJSON(ispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		Manifests: []ispec.Descriptor{writeBlob(dir, manifest.MediaType, asJSON(manifest))},
	}))
	writeFile(dir, ispec.ImageLayoutFile, asJSON(ispec.ImageLayout{Version: ispec.ImageLayoutVersion}))
	return dir
}

func asJSON(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func writeBlob(dir, mediaType string, data []byte) ispec.Descriptor {
	d := digest.FromBytes(data)
	writeFile(dir, filepath.Join(ispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded()), data)
	return ispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func writeFile(dir, name string, data []byte) {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		log.Fatal(err)
	}
}
