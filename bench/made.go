package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// made is an image that is made up: two layers, the lower of one file, so that
// its view is an overlay, the upper of files of one size, a hundred in each
// directory.
type made struct {
	name  string
	files int
	size  int64
}

// blob is one of the image: its content is written again where it is needed,
// since the largest has no room in memory.
type blob struct {
	digest string
	size   int64
	write  func(io.Writer) error
}

func newBlob(write func(io.Writer) error) (blob, error) {
	hash := sha256.New()
	counted := &counter{w: hash}
	err := write(counted)
	return blob{hex.EncodeToString(hash.Sum(nil)), counted.n, write}, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func jsonBlob(v any) (blob, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return blob{}, err
	}
	return newBlob(func(w io.Writer) error { _, err := w.Write(text); return err })
}

// importMade gives the image to containerd through a pipe, and gives the chain
// ID of its layers.
func (b *bench) importMade(ctx context.Context, m made) (chain string, err error) {
	lower, err := newBlob(func(w io.Writer) error { return writeLayer(w, "lower", 1, 1) })
	if err != nil {
		return "", err
	}
	upper, err := newBlob(func(w io.Writer) error { return writeLayer(w, "upper", m.files, m.size) })
	if err != nil {
		return "", err
	}
	chain = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("sha256:"+lower.digest+" sha256:"+upper.digest)))
	cmd := b.shell(ctx, "ctr images import - >/dev/null 2>&1")
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	writeErr := writeArchive(in, "localhost/bench:"+m.name, []blob{lower, upper})
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("importing %s: %w", m.name, err)
	}
	return chain, writeErr
}

// writeLayer writes files of bytes that do not compress to nothing.
func writeLayer(w io.Writer, dir string, files int, size int64) error {
	t := tar.NewWriter(w)
	when := time.Unix(1e9, 0)
	random := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 1<<20)
	if _, err := random.Read(block); err != nil {
		return err
	}
	for i := range files {
		sub := fmt.Sprintf("%s/%05d", dir, i/100)
		if i == 0 {
			if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: when}); err != nil {
				return err
			}
		}
		if i%100 == 0 {
			if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: sub + "/", Mode: 0o755, ModTime: when}); err != nil {
				return err
			}
		}
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%s/file%d", sub, i), Mode: 0o644, Size: size, ModTime: when}); err != nil {
			return err
		}
		for left := size; left > 0; left -= min(left, int64(len(block))) {
			if _, err := t.Write(block[:min(left, int64(len(block)))]); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

// descriptor is image-spec's (descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (b blob) describe(kind string) descriptor {
	return descriptor{MediaType: "application/vnd.oci.image." + kind, Digest: "sha256:" + b.digest, Size: b.size}
}

// writeArchive writes an OCI layout as a tar, and closes w.
func writeArchive(w io.WriteCloser, ref string, layers []blob) error {
	var diffIDs []string
	var described []descriptor
	for _, l := range layers {
		diffIDs = append(diffIDs, "sha256:"+l.digest)
		described = append(described, l.describe("layer.v1.tar"))
	}
	config, err := jsonBlob(map[string]any{"architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}})
	if err != nil {
		return err
	}
	manifest, err := jsonBlob(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config.describe("config.v1+json"), "layers": described})
	if err != nil {
		return err
	}
	top := manifest.describe("manifest.v1+json")
	top.Annotations = map[string]string{"io.containerd.image.name": ref}
	index, err := jsonBlob(map[string]any{"schemaVersion": 2, "manifests": []descriptor{top}})
	if err != nil {
		return err
	}
	layout, err := jsonBlob(map[string]string{"imageLayoutVersion": "1.0.0"})
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	put := func(name string, b blob) error {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: b.size}); err != nil {
			return err
		}
		return b.write(t)
	}
	for _, l := range append(layers, config, manifest) {
		if err := put("blobs/sha256/"+l.digest, l); err != nil {
			return err
		}
	}
	if err := put("oci-layout", layout); err != nil {
		return err
	}
	if err := put("index.json", index); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return w.Close()
}
