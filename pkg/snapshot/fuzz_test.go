package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// What the three documents of an image are called by one another in the seeds:
// their digests change with every change of the fuzzer's.
const (
	configPlace   = "sha256:CONFIG"
	manifestPlace = "sha256:MANIFEST"
	nestedPlace   = "sha256:NESTED"
)

// documents are blobs in memory, by digest.
type documents map[digest.Digest][]byte

func (d documents) add(mediaType string, data []byte) ispec.Descriptor {
	desc := ispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	d[desc.Digest] = data
	return desc
}

// inMemory is such a blob, opened.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// memoryCollection is a collection of documents in memory.
type memoryCollection struct {
	documents
	root []byte
}

func (c memoryCollection) Index(context.Context) (index ispec.Index, err error) {
	return index, json.Unmarshal(c.root, &index)
}

func (c memoryCollection) Close() error { return nil }

func (c memoryCollection) ReaderAt(_ context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
	data, ok := c.documents[desc.Digest]
	if !ok {
		return nil, errdefs.ErrNotFound
	}
	return inMemory{bytes.NewReader(data)}, nil
}

// collect makes a collection of an index.json, an index that it may list, a
// manifest and a config, the digests of each filled in, and the sizes behind them.
func collect(root, nested, manifest, config string) memoryCollection {
	c := memoryCollection{documents: documents{}}
	fill := func(text, place, inner string) string {
		d := c.add("", []byte(inner))
		text = strings.ReplaceAll(text, `"digest":"`+place+`"`, fmt.Sprintf(`"digest":%q,"size":%d`, d.Digest, d.Size))
		return strings.ReplaceAll(text, place, d.Digest.String())
	}
	manifest = fill(manifest, configPlace, config)
	nested = fill(nested, manifestPlace, manifest)
	c.root = []byte(fill(fill(root, nestedPlace, nested), manifestPlace, manifest))
	return c
}

const (
	seedConfig   = `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + configPlace + `"]}}`
	seedManifest = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"` + configPlace + `"},"layers":[` +
		`{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"` + configPlace + `"}]}`
	seedIndex = `{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + manifestPlace +
		`","platform":{"os":"linux","architecture":"amd64"},"annotations":{"org.opencontainers.image.ref.name":"1"}}]}`
	seedOuter = `{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"` + nestedPlace + `"}]}`
)

// FuzzChoose looks for an image in documents that anybody may have written.
func FuzzChoose(f *testing.F) {
	f.Add(seedIndex, seedIndex, seedManifest, seedConfig, "")
	f.Add(seedOuter, seedIndex, seedManifest, seedConfig, "")
	f.Add(`{"manifests":[{"digest":"sha256:../../etc"}]}`, seedIndex, `{"config":{}}`, `null`, "latest")
	f.Fuzz(func(t *testing.T, root, nested, manifest, config, ref string) {
		want, err := platform("linux/amd64")
		if err != nil {
			t.Fatal(err)
		}
		c := collect(root, nested, manifest, config)
		image, err := chosen(t.Context(), c, Source{Kind: OCIArchive, Name: "f.tar", Ref: ref}, want, layertype.Merging)
		if err != nil {
			return
		}
		checkImage(t, c, image)
	})
}

// checkImage asserts what every later step relies on.
func checkImage(t *testing.T, c content.Provider, image *Image) {
	t.Helper()
	if len(image.Layers) != len(image.Config.RootFS.DiffIDs) {
		t.Errorf("%d layers and %d diff IDs", len(image.Layers), len(image.Config.RootFS.DiffIDs))
	}
	for _, desc := range image.documents() {
		ra, err := c.ReaderAt(t.Context(), desc)
		if err != nil {
			t.Fatalf("a document of the image is not there: %v", err)
		}
		data, err := io.ReadAll(io.NewSectionReader(ra, 0, ra.Size()))
		if err != nil || digest.FromBytes(data) != desc.Digest {
			t.Errorf("a document of the image has the digest %s, %v, not %s", digest.FromBytes(data), err, desc.Digest)
		}
		if err := ra.Close(); err != nil {
			t.Error(err)
		}
	}
}

// archiveMember is a file of an archive: a name, what it is, and its content or target.
type archiveMember struct {
	name, content string
	typeflag      byte
}

// archiveOf is a tar of what of the members a tar can hold.
func archiveOf(t *testing.T, members ...archiveMember) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.typeflag, Mode: 0o644}
		if m.typeflag == tar.TypeReg {
			h.Size = int64(len(m.content))
		} else {
			h.Linkname = m.content
		}
		if w.WriteHeader(h) != nil || h.Size == 0 {
			continue
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzArchive reads an image out of an archive of docker's kind or of OCI's
// that anybody may have written, and its layers to their end.
func FuzzArchive(f *testing.F) {
	const manifest, config = `[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l"]}]`,
		`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + configPlace + `"]}}`
	f.Add("manifest.json", manifest, config, "a layer", byte(tar.TypeReg), uint(0))
	f.Add("manifest.json", manifest, config, "other", byte(tar.TypeSymlink), uint(0))
	f.Add("manifest.json", manifest, config, "./other", byte(tar.TypeLink), uint(700))
	f.Add("index.json", seedIndex, seedConfig, "a layer", byte(tar.TypeReg), uint(0))
	f.Add("both", manifest, config, "a layer", byte(tar.TypeReg), uint(0))
	f.Add("repositories", "{}", config, "a layer", byte(tar.TypeReg), uint(0))
	path := filepath.Join(f.TempDir(), "image.tar")
	f.Fuzz(func(t *testing.T, name, index, config, layer string, kind byte, cut uint) {
		of := digest.FromString(layer).String()
		image := collect(index, "", seedManifest, config)
		members := []archiveMember{
			{name, strings.ReplaceAll(string(image.root), configPlace, of), tar.TypeReg},
			{"c.json", strings.ReplaceAll(config, configPlace, of), tar.TypeReg},
			{"other", "a layer", tar.TypeReg}, {"l", layer, kind},
		}
		if name == "both" {
			members[0].name = "manifest.json"
			members = append(members, archiveMember{ispec.ImageIndexFile, string(collect(seedIndex, "", seedManifest, config).root), tar.TypeReg})
		}
		if name == "both" || name == ispec.ImageIndexFile {
			members = append(members, archiveMember{ispec.ImageLayoutFile, `{"imageLayoutVersion":"1.0.0"}`, tar.TypeReg})
		}
		for d, data := range image.documents {
			members = append(members, archiveMember{"blobs/sha256/" + d.Encoded(), string(data), tar.TypeReg})
		}
		data := archiveOf(t, members...)
		if err := os.WriteFile(path, data[:len(data)-int(cut%uint(len(data)))], 0o600); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []SourceKind{OCIArchive, DockerArchive} {
			readArchive(t, Source{Kind: kind, Name: path})
		}
	})
}

// readArchive goes as far as an archive lets it.
func readArchive(t *testing.T, src Source) {
	t.Helper()
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	req := Request{Source: src}
	c, err := openCollection(t.Context(), req, Options{})
	if err != nil {
		return
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	image, err := chosenOrOther(t.Context(), c, req.Source, want, layertype.Merging)
	if err != nil {
		return
	}
	checkImage(t, c, image)
	for _, layer := range image.Layers {
		ra, err := c.ReaderAt(t.Context(), layer)
		if err != nil {
			t.Fatalf("a layer of the image is not there: %v", err)
		}
		if _, err := io.Copy(io.Discard, io.NewSectionReader(ra, 0, ra.Size())); err != nil {
			t.Errorf("layer %s: %v", layer.Digest, err)
		}
		if err := ra.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An index may list another a thousand times, and that one a third: what is
// read of it is bounded.
func TestIndexesAreBounded(t *testing.T) {
	list := func(inner ispec.Descriptor) string {
		return `{"manifests":[` + strings.Repeat(described(inner)+",", 999) + described(inner) + `]}`
	}
	c := memoryCollection{documents: documents{}}
	inner := `{"manifests":[]}`
	for range 3 {
		inner = list(c.add(ispec.MediaTypeImageIndex, []byte(inner)))
	}
	c.root = []byte(inner)
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	_, err = chosen(t.Context(), c, Source{Kind: OCIArchive, Name: "f.tar", Ref: ""}, want, layertype.Merging)
	if err == nil || !strings.Contains(err.Error(), "more than 10000 manifests") {
		t.Errorf("got the error %v", err)
	}
}
