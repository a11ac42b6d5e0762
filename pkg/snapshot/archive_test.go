package snapshot

import (
	"archive/tar"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// TestReferenceError lists what an archive holds where it does not have what was
// asked for.
func TestReferenceError(t *testing.T) {
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	src := Source{Kind: OCIArchive, Name: "f.tar", Ref: "2"}
	_, err = chosen(t.Context(), collect(seedIndex, "", seedManifest, seedConfig), src, want, layertype.Merging)
	var reference *ReferenceError
	if !errors.As(err, &reference) || reference.Path != "f.tar" || reference.Ref != "2" || !slices.Equal(reference.Have, []string{"1"}) || !errors.Is(err, ErrNotFound) {
		t.Errorf("%s gives %v, want a ReferenceError that lists 1", src, err)
	}
}

// twoLists is an archive that lists its images twice: index.json has those whose
// names are in oci, manifest.json those in docker, and none where that is nil. Of a
// name that ends in "!" the list lacks the layer, as docker 25.0.0 wrote it. A name
// with a tag is that of a signature, which containerd lists in both.
func twoLists(t *testing.T, oci, docker []string) string {
	t.Helper()
	const layer = "a layer"
	index, saved := ispec.Index{}, []map[string]any{}
	members := []archiveMember{{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`, tar.TypeReg}}
	add := func(mediaType, text string) ispec.Descriptor {
		d := digest.FromString(text)
		members = append(members, archiveMember{"blobs/sha256/" + d.Encoded(), text, tar.TypeReg})
		return ispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(text))}
	}
	document := func(of any) string {
		text, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	blob := add(ispec.MediaTypeImageLayer, layer)
	path := func(d ispec.Descriptor) string { return "blobs/sha256/" + d.Digest.Encoded() }
	for _, name := range slices.Concat(oci, docker) {
		name, odd := strings.CutSuffix(name, "!")
		config := ispec.Image{Author: name, Platform: ispec.Platform{OS: "linux", Architecture: "amd64"}}
		config.RootFS = ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{blob.Digest}}
		name, tag, signature := strings.Cut(name, ":")
		if signature {
			config.RootFS = ispec.RootFS{}
		}
		name += ":" + cmp.Or(tag, "1")
		manifest := ispec.Manifest{MediaType: ispec.MediaTypeImageManifest, Config: add(ispec.MediaTypeImageConfig, document(config))}
		layers := []string(nil)
		if !odd {
			manifest.Layers, layers = []ispec.Descriptor{blob}, []string{path(blob)}
		}
		if signature {
			manifest.Layers[0].MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
		}
		desc := add(ispec.MediaTypeImageManifest, document(manifest))
		desc.Annotations = map[string]string{images.AnnotationImageName: "docker.io/library/" + name, ispec.AnnotationRefName: tag}
		index.Manifests = append(index.Manifests, desc)
		saved = append(saved, map[string]any{"Config": path(manifest.Config), "RepoTags": []string{name}, "Layers": layers})
	}
	if oci != nil {
		index.Manifests = index.Manifests[:len(oci)]
		members = append(members, archiveMember{"index.json", document(index), tar.TypeReg})
	}
	if docker != nil {
		members = append(members, archiveMember{"manifest.json", document(saved[len(oci):]), tar.TypeReg})
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, append(archiveOf(t, members...), make([]byte, 1024)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOtherList points from one list of an archive's images to the other where that
// has what is asked for.
func TestOtherList(t *testing.T) {
	one, two, none := []string{"a"}, []string{"a", "b"}, []string{}
	signature := "a:sha256-" + strings.Repeat("5", 64) + ".sig"
	signed := []string{"a", signature}
	for _, c := range []struct {
		name        string
		oci, docker []string
		kind        SourceKind
		ref         string
		other       string // where the error points to; none where it is empty
		want        string // of the error; none where it is empty
	}{
		{"both", one, one, OCIArchive, "", "", ""},
		{"both", one, one, DockerArchive, "", "", ""},
		{"both, by name", two, two, DockerArchive, "b:1", "", ""},
		{"both have two", two, two, DockerArchive, "", "", "it holds docker.io/library/a:1, docker.io/library/b:1"},

		{"docker 25.0.0", []string{"a!"}, one, DockerArchive, "", "", ""},
		{"docker 25.0.0", []string{"a!"}, one, OCIArchive, "", "docker-archive:a.tar", "0 layers"},
		{"docker 25.0.0, by name", []string{"a!"}, one, OCIArchive, "a:1", "docker-archive:a.tar:a:1", "0 layers"},
		{"manifest.json is broken", one, []string{"a!"}, DockerArchive, "", "oci-archive:a.tar", "it lists 0 layers"},
		{"both are broken", []string{"a!"}, []string{"a!"}, OCIArchive, "", "", "0 layers"},
		{"both are broken", []string{"a!"}, []string{"a!"}, DockerArchive, "", "", "0 layers"},

		{"index.json lists none", none, one, OCIArchive, "", "docker-archive:a.tar", "its index.json lists no image"},
		{"manifest.json lists none", one, none, DockerArchive, "", "oci-archive:a.tar", "its manifest.json lists no image"},
		{"index.json lists one of two", one, two, OCIArchive, "", "docker-archive:a.tar", "its other list of images has more: docker.io/library/b:1"},
		{"manifest.json lists one of two", two, one, DockerArchive, "", "oci-archive:a.tar", "its other list of images has more: docker.io/library/b:1"},
		{"the one of two by name", one, two, OCIArchive, "a:1", "", ""},
		{"the other of two by name", one, two, OCIArchive, "b:1", "docker-archive:a.tar:b:1", `finding image "b:1"`},
		{"one that neither has", one, two, OCIArchive, "c:1", "", `finding image "c:1"`},
		{"more in the other prefix's list", one, two, DockerArchive, "", "", "it holds docker.io/library/a:1, docker.io/library/b:1"},
		{"one of two is broken", one, []string{"a", "b!"}, DockerArchive, "a:1", "", ""},

		{"index.json has a signature", signed, one, DockerArchive, "", "", ""},
		{"both have a signature", signed, signed, DockerArchive, "", "", ""},
		{"both have a signature", signed, signed, OCIArchive, "", "", ""},
		{"manifest.json has a signature", one, signed, OCIArchive, "", "", ""},
		{"a signature by name", signed, signed, DockerArchive, signature, "", "it lists 1 layers"},
		{"a signature and another image", signed, two, OCIArchive, "", "docker-archive:a.tar", "its other list of images has more: docker.io/library/b:1"},

		{"index.json alone", one, nil, DockerArchive, "", "oci-archive:a.tar", "it has no manifest.json"},
		{"manifest.json alone", nil, one, OCIArchive, "", "docker-archive:a.tar", "it has no index.json"},
		{"index.json alone, two", two, nil, DockerArchive, "", "oci-archive:a.tar", "it has no manifest.json"},
		{"neither", nil, nil, DockerArchive, "", "", "it is cut off: it has layers, and neither index.json nor manifest.json"},
	} {
		path := twoLists(t, c.oci, c.docker)
		view, err := OpenArchive(t.Context(), Request{Source: Source{Kind: c.kind, Name: path, Ref: c.ref}, Platform: "linux/amd64"}, Options{})
		if err == nil {
			err = view.Close(t.Context())
		}
		var pointer *OtherListError
		other := ""
		if errors.As(err, &pointer) {
			other = strings.ReplaceAll(pointer.Other.String(), path, "a.tar")
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || other != c.other {
			t.Errorf("%s, %s %s: %v, pointing to %q; want %q and %q", c.name, c.kind, c.ref, err, other, c.want, c.other)
		}
	}
}

// TestPlatformsSavedByDocker chooses a platform where manifest.json has one name for
// several, of which one lacks its layer.
func TestPlatformsSavedByDocker(t *testing.T) {
	config := func(architecture string) string {
		return `{"os":"linux","architecture":"` + architecture + `","rootfs":{"type":"layers"}}`
	}
	saved := func(architecture, layers string) string {
		return `{"Config":"` + architecture + `","RepoTags":["a:1"],"Layers":` + layers + `}`
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	err := os.WriteFile(file, archiveOf(t,
		archiveMember{"manifest.json", "[" + saved("amd64", "null") + "," + saved("arm64", "[]") + "," + saved("s390x", `["gone"]`) + "]", tar.TypeReg},
		archiveMember{"amd64", config("amd64"), tar.TypeReg}, archiveMember{"arm64", config("arm64"), tar.TypeReg}, archiveMember{"s390x", config("s390x"), tar.TypeReg}), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]string{"linux/amd64": "", "linux/arm64": "", "linux/s390x": `it lists 1 layers, "s390x" has 0 diff IDs`, "linux/riscv64": "the image has linux/amd64, linux/arm64, linux/s390x"} {
		for _, ref := range []string{"", "a:1"} {
			view, err := OpenArchive(t.Context(), Request{Source: Source{Kind: DockerArchive, Name: file, Ref: ref}, Platform: platform}, Options{})
			if err == nil {
				if got := view.Image.PlatformText(); got != platform {
					t.Errorf("%s: the image is of %s", platform, got)
				}
				err = view.Close(t.Context())
			}
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %q: %v, want %q", platform, ref, err, want)
			}
		}
	}
}

// TestOpenArchiveOfAnother refuses what is no archive.
func TestOpenArchiveOfAnother(t *testing.T) {
	for _, text := range []string{"alpine", "snapshot:key", "container:id", "pod:name"} {
		src, err := ParseSource(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenArchive(t.Context(), Request{Source: src}, Options{})
		var archive *ArchiveError
		if err == nil || errors.As(err, &archive) || !strings.Contains(err.Error(), string(src.Kind)) {
			t.Errorf("%s: %v, want an error that names its kind, %s", text, err, src.Kind)
		}
	}
}

// TestLayersOfAnArchive refuses a view of an archive by its layers, whose name
// would be taken for an image's.
func TestLayersOfAnArchive(t *testing.T) {
	v := &View{}
	err := v.open(t.Context(), nil, Request{Source: Source{Kind: OCILayout, Name: "localhost:1/app"}, Via: ViaLayers}, wanted{})
	if err == nil || !strings.Contains(err.Error(), "OpenArchive") {
		t.Errorf("error %v, want one that says what it is for", err)
	}
}
