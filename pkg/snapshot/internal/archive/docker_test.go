package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// readerAt is a function as an io.ReaderAt.
type readerAt func(p []byte, at int64) (int, error)

func (r readerAt) ReadAt(p []byte, at int64) (int, error) { return r(p, at) }

// dockerTar is an archive of docker's with one image, whose layers are called
// names and have diff IDs of their own.
func dockerTar(t *testing.T, names ...string) (a *Tar, diffIDs []digest.Digest) {
	t.Helper()
	config := ispec.Image{RootFS: ispec.RootFS{Type: "layers"}}
	for i := range names {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromString(strconv.Itoa(i)))
	}
	a = newTar(nil, Options{Document: DockerManifest})
	for name, document := range map[string]any{
		string(DockerManifest): []dockerImage{{Config: "config.json", Layers: names}},
		"config.json":          config,
	} {
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		a.parts[name] = io.NewSectionReader(strings.NewReader(string(text)), 0, int64(len(text)))
	}
	return a, config.RootFS.DiffIDs
}

// TestLayerIsMissing has docker's manifest.json name a layer that is not there:
// the archive is whole, but incomplete.
func TestLayerIsMissing(t *testing.T) {
	a, _ := dockerTar(t, "layer.tar")
	_, err := a.Index(t.Context())
	const want = `it is incomplete or damaged: layer "layer.tar": not found`
	if got := message(Explain("a.tar", err)); got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

// TestLayerNamedOften has docker's manifest.json name one layer, and a link to
// it, a thousand times: it is read once. A plain one has the digest that the
// config says each time.
func TestLayerNamedOften(t *testing.T) {
	const compressed, plain = "\x1f\x8b\x08, as gzip begins", "a tar"
	names := slices.Repeat([]string{"layer.tar", "link/layer.tar"}, 500)
	for text, bytes := range map[string]int64{compressed: 10 + int64(len(compressed)), plain: int64(len(plain))} {
		var read atomic.Int64
		a, want := dockerTar(t, names...)
		a.parts["layer.tar"] = io.NewSectionReader(readerAt(func(p []byte, at int64) (int, error) {
			n, err := strings.NewReader(text).ReadAt(p, at)
			read.Add(int64(n))
			return n, err
		}), 0, int64(len(text)))
		a.parts["link/layer.tar"] = a.parts["layer.tar"]
		if text == compressed {
			want = slices.Repeat([]digest.Digest{digest.FromString(text)}, len(names))
		}
		index, err := a.Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var manifest ispec.Manifest
		if err := json.Unmarshal(a.made[index.Manifests[0].Digest], &manifest); err != nil {
			t.Fatal(err)
		}
		var got []digest.Digest
		for _, layer := range manifest.Layers {
			got = append(got, layer.Digest)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: the layers are %.300q, want %.300q", text, fmt.Sprint(got), fmt.Sprint(want))
		}
		if n := read.Load(); n != bytes {
			t.Errorf("%q: %d bytes were read, want %d", text, n, bytes)
		}
	}
}

// TestDigestIsInterrupted gives up while the digest of a layer of 1 TiB is taken.
func TestDigestIsInterrupted(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var reads atomic.Int64
	a, _ := dockerTar(t, "layer.tar")
	a.parts["layer.tar"] = io.NewSectionReader(readerAt(func(p []byte, _ int64) (int, error) {
		switch reads.Add(1) {
		case 10:
			cancel(enough)
		case 1 << 15:
			return 0, errors.New("it reads on")
		}
		return copy(p, "\x1f\x8b\x08"+strings.Repeat("x", len(p))), nil
	}), 0, 1<<40)
	if _, err := a.Index(ctx); !errors.Is(err, enough) {
		t.Errorf("error %v, want %v", err, enough)
	}
}

// TestConfigNamedOften has docker's manifest.json name one config, and a link to it,
// again and again: it is read once, and the images have a bound.
func TestConfigNamedOften(t *testing.T) {
	for times, fails := range map[int]bool{500: false, maxDockerImages: false, maxDockerImages + 1: true} {
		a, _ := dockerTar(t)
		text, err := json.Marshal(slices.Repeat([]dockerImage{{Config: "config.json"}, {Config: "link.json"}}, times)[:times])
		if err != nil {
			t.Fatal(err)
		}
		a.parts[string(DockerManifest)] = io.NewSectionReader(strings.NewReader(string(text)), 0, int64(len(text)))
		var read atomic.Int64
		config := a.parts["config.json"]
		counting := readerAt(func(p []byte, at int64) (int, error) {
			n, err := config.ReadAt(p, at)
			read.Add(int64(n))
			return n, err
		})
		a.parts["config.json"] = io.NewSectionReader(counting, 0, config.Size())
		a.parts["link.json"] = a.parts["config.json"]
		index, err := a.Index(t.Context())
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), "it lists 10001 images, more than 10000")):
			t.Errorf("%d images: error %v, want that they are too many", times, err)
		case !fails && (err != nil || len(index.Manifests) != times || read.Load() != config.Size()):
			t.Errorf("%d images: %d manifests, %d bytes of the config were read, error %v, want %d bytes", times, len(index.Manifests), read.Load(), err, config.Size())
		}
	}
}
