package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// tarOf is an archive of members, whose names and contents alternate. A name that
// ends in "->" is a symlink's, one in "=>" a hard link's, and the content its target.
func tarOf(t *testing.T, members ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(members); i += 2 {
		name, content := members[i], members[i+1]
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}
		for suffix, flag := range map[string]byte{"->": tar.TypeSymlink, "=>": tar.TypeLink} {
			if before, ok := strings.CutSuffix(name, suffix); ok {
				h = &tar.Header{Name: before, Typeflag: flag, Linkname: content}
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// opened opens an archive by a list of images, until the test ends.
func opened(t *testing.T, data []byte, reads Document) (*Tar, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := OpenTar(t.Context(), path, Options{Document: reads})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, nil
}

const (
	emptyConfig = `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers"}}`
	marker      = `{"imageLayoutVersion":"1.0.0"}`
)

// TestLists reads archives by either of their lists of images.
func TestLists(t *testing.T) {
	const both = "both"
	list := func(names ...string) string {
		var index ispec.Index
		for i, name := range names {
			desc := ispec.Descriptor{MediaType: ispec.MediaTypeImageManifest, Digest: digest.FromString(fmt.Sprint(i))}
			if name != "" {
				desc.Annotations = map[string]string{images.AnnotationImageName: name}
			}
			index.Manifests = append(index.Manifests, desc)
		}
		text, err := json.Marshal(index)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, c := range []struct {
		name    string
		reads   Document
		members []string
		want    string // how many images, or the error
	}{
		{"layout", OCIIndex, []string{"oci-layout", marker, "index.json", list("a")}, "1"},
		{"layout below .", OCIIndex, []string{"./oci-layout", marker, "./index.json", list("a")}, "1"},
		{"layout below /", OCIIndex, []string{"/oci-layout", marker, "/index.json", list("a", "b")}, "2"},
		{"layout's other list", OCIIndex, []string{"oci-layout", marker, "index.json", list("a"), "manifest.json", `[]`}, "1"},
		{"docker", DockerManifest, []string{"manifest.json", `[{"Config":"c"}]`, "c", emptyConfig}, "1"},
		{"docker, null", DockerManifest, []string{"manifest.json", `[{"Config":"c","RepoTags":null,"Layers":null}]`, "c", emptyConfig}, "1"},
		{"docker, more fields", DockerManifest, []string{"manifest.json", `[{"Config":"c","Parent":"p","LayerSources":{"sha256:x":{"size":1}}}]`, "c", emptyConfig}, "1"},
		{"docker, two tags", DockerManifest, []string{"manifest.json", `[{"Config":"c","RepoTags":["a:1","b:2"]}]`, "c", emptyConfig}, "2"},
		{"docker of a layout", DockerManifest, []string{"manifest.json", `[{"Config":"blobs/sha256/c"}]`, "blobs/sha256/c", emptyConfig, "oci-layout", marker, "index.json", list()}, "1"},
		{"docker, ./ and /", DockerManifest, []string{"./manifest.json", `[{"Config":"/c"},{"Config":"./c"}]`, "./c", emptyConfig}, "2"},
		{"ko's config", DockerManifest, []string{"manifest.json", `[{"Config":"sha256:c"}]`, "sha256:c", emptyConfig}, "1"},
		{"config by links", DockerManifest, []string{"manifest.json", `[{"Config":"a/c"}]`, "a/c->", "../b/c", "b/c->", "/d", "e", emptyConfig, "d=>", "e"}, "1"},
		{"config by a link out of it", DockerManifest, []string{"manifest.json", `[{"Config":"a/c"}]`, "a/c->", "../../../d", "d", emptyConfig}, "1"},
		{"the last list counts", OCIIndex, []string{"oci-layout", marker, "index.json", list("a"), "index.json", list("a", "b")}, "2"},
		{"the last config counts", DockerManifest, []string{"manifest.json", `[{"Config":"c"}]`, "c", "{", "c->", "d", "d", emptyConfig}, "1"},
		{"a link, then a config", DockerManifest, []string{"manifest.json", `[{"Config":"c"}]`, "c->", "d", "d", "{", "c", emptyConfig}, "1"},
		{"a link to itself", DockerManifest, []string{"manifest.json", `[{"Config":"c"}]`, "c", emptyConfig, "c=>", "c"}, "1"},

		{"null", OCIIndex, []string{"oci-layout", marker, "index.json", "null"}, `parsing "index.json": it is not a JSON object`},
		{"no manifests", OCIIndex, []string{"oci-layout", marker, "index.json", `{"manifests":null}`}, "its index.json lists no image"},
		{"docker, no images", DockerManifest, []string{"manifest.json", "null"}, "its manifest.json lists no image"},
		{"no marker", OCIIndex, []string{"index.json", list("a")}, `it is not an OCI layout: it has no "oci-layout"`},
		{"another version", OCIIndex, []string{"oci-layout", `{}`, "index.json", list("a")}, `its layout version is "", not "1.0.0"`},
		{"docker's alone", OCIIndex, []string{"manifest.json", "[]"}, "it has no index.json"},
		{"layout alone", DockerManifest, []string{"oci-layout", marker, "index.json", list("a")}, "it has no manifest.json"},
		{"no config", DockerManifest, []string{"manifest.json", `[{"Config":"c"}]`}, `file "c": not found`},
		{"an index as manifest.json", DockerManifest, []string{"manifest.json", list("a")}, `parsing "manifest.json": json: cannot unmarshal object into Go value of type []archive.dockerImage`},

		{"old docker", both, []string{"repositories", "{}", "1/VERSION", "1.0", "1/json", "{}", "1/layer.tar", ""}, "it is of a docker before 1.10: it has no manifest.json"},
		{"old docker, by ID", both, []string{"1/VERSION", "1.0", "1/json", "{}", "1/layer.tar", ""}, "it is of a docker before 1.10: it has no manifest.json"},
		{"cut layout", both, []string{"blobs/sha256/1", "x"}, "it is cut off: it has layers, and neither index.json nor manifest.json"},
		{"cut layout, its marker first", both, []string{"oci-layout", marker, "blobs/sha256/1", "x"}, "it is cut off: it has layers, and neither index.json nor manifest.json"},
		{"cut docker", both, []string{"1/VERSION", "1.0", "1/json", "{}", "1/layer.tar", "", "2.json", "{}"}, "it is cut off: it has layers, and neither index.json nor manifest.json"},
		{"cut, of skopeo", both, []string{strings.Repeat("1", 64) + ".tar", "x"}, "it is cut off: it has layers, and neither index.json nor manifest.json"},
		{"cut, of jib", both, []string{strings.Repeat("1", 64) + ".tar.gz", "x"}, "it is cut off: it has layers, and neither index.json nor manifest.json"},
		{"a root with such names", both, []string{"srv/layer.tar", "", "blobs/x", "", "app.tar", "", "app.json", ""}, "it is not an image archive: it has neither index.json nor manifest.json"},
		{"in a folder", both, []string{"app/oci-layout", marker, "app/index.json", list("a"), "app/blobs/sha256/1", "x"}, `its index.json and manifest.json are looked for at its top, and it has one in the folder "app"`},
		{"a root filesystem", both, []string{"etc/passwd", "root"}, "it is not an image archive: it has neither index.json nor manifest.json"},
		{"nothing", both, nil, "it is empty"},
	} {
		reads := []Document{c.reads}
		if c.reads == both {
			reads = []Document{OCIIndex, DockerManifest}
		}
		for _, document := range reads {
			a, err := opened(t, tarOf(t, c.members...), document)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			index, err := a.Index(t.Context())
			if got := message(err); err != nil && got != c.want || err == nil && fmt.Sprint(len(index.Manifests)) != c.want {
				t.Errorf("%s by %s: %d images and %q, want %q", c.name, document, len(index.Manifests), got, c.want)
			}
		}
	}
}

// TestEndIsLost cuts archives within members and between them, where what is left is
// whole except for the zeros at its end.
func TestEndIsLost(t *testing.T) {
	const listless = "it is cut off: it has layers, and neither index.json nor manifest.json"
	folders := tarOf(t, "1/json", "{}", "1/layer.tar", "", "etc/passwd", "root")
	// As containerd and docker write it.
	layout := tarOf(t, "blobs/sha256/1", "x", "index.json", `{"manifests":[]}`, "manifest.json", "[]", "oci-layout", marker)
	for _, c := range []struct {
		whole []byte
		size  int
		reads Document
		want  string
	}{
		{folders, 3 * tarBlock, OCIIndex, listless},
		{folders, 5 * tarBlock, OCIIndex, listless},
		{folders, len(folders), OCIIndex, ErrOldDocker.Error()},
		{folders, tarBlock + 10, OCIIndex, "it is cut off: it lacks a tar's end, and has neither index.json nor manifest.json"},
		{folders, tarBlock + 1, OCIIndex, `it is cut off: file "1/json": unexpected EOF`},
		{folders, tarBlock - 10, OCIIndex, "it is cut off: unexpected EOF"},
		{folders, 0, OCIIndex, "it is empty"},
		{layout, 2 * tarBlock, OCIIndex, listless},
		{layout, 2 * tarBlock, DockerManifest, listless},
		{layout, 3 * tarBlock, OCIIndex, `it is cut off: file "index.json": unexpected EOF`},
		{layout, 4 * tarBlock, OCIIndex, `it is cut off: it is not an OCI layout: it has no "oci-layout"`},
		{layout, 4 * tarBlock, DockerManifest, "it is cut off: it has no manifest.json"},
		{layout, 6 * tarBlock, OCIIndex, `it is cut off: it is not an OCI layout: it has no "oci-layout"`},
		{layout, 6 * tarBlock, DockerManifest, "its manifest.json lists no image"},
		{layout, 8 * tarBlock, OCIIndex, "its index.json lists no image"},
	} {
		a, err := opened(t, c.whole[:c.size], c.reads)
		if err == nil {
			_, err = a.Index(t.Context())
		}
		err = Explain("a.tar", err)
		if got := message(err); got != c.want {
			t.Errorf("%d bytes of %d, by %s: %q, want %q", c.size, len(c.whole), c.reads, got, c.want)
		}
		var lost *CutError
		if isCut := errors.As(err, &lost); isCut != (c.size < len(c.whole) && !strings.HasSuffix(c.want, "lists no image")) {
			t.Errorf("%d bytes of %d, by %s: %v is cut: %v", c.size, len(c.whole), c.reads, err, isCut)
		}
	}
}

// TestBrokenImage reads one of docker's images where another lacks its layer, or its
// config.
func TestBrokenImage(t *testing.T) {
	const saved = `[{"Config":"c","RepoTags":["whole:1"]},{"Config":"d","RepoTags":["odd:1"],"Layers":["gone"]},{"Config":"gone","RepoTags":["none:1"]}]`
	config := strings.Replace(emptyConfig, `"layers"}`, `"layers","diff_ids":["`+digest.FromString("").String()+`"]}`, 1)
	a, err := opened(t, tarOf(t, "manifest.json", saved, "c", emptyConfig, "d", config), DockerManifest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := a.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"whole:1": "", "odd:1": `layer "gone": not found`, "none:1": `file "gone": not found`} {
		found, _ := Referenced(index, ref)
		if len(found) != 1 {
			t.Fatalf("%s: %d images", ref, len(found))
		}
		blob, err := a.ReaderAt(t.Context(), found[0])
		if got := message(err); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
		if err == nil {
			err = blob.Close()
		}
		if want == "" && err != nil {
			t.Error(err)
		}
	}
}

// TestLayerTypes has docker's archives hold layers in all wrappings.
func TestLayerTypes(t *testing.T) {
	for start, want := range map[string]string{
		"a tar":                       images.MediaTypeDockerSchema2Layer,
		"":                            images.MediaTypeDockerSchema2Layer,
		"\x1f\x8b\x08 and so on":      images.MediaTypeDockerSchema2LayerGzip,
		"\x28\xb5\x2f\xfd and so on":  images.MediaTypeDockerSchema2LayerZstd,
		"\xfd7zXZ\x00 and so on":      images.MediaTypeDockerSchema2Layer + ".xz",
		"BZh91AY&SY and so on":        images.MediaTypeDockerSchema2Layer + ".bzip2",
		"BZh9, but no bzip2's blocks": images.MediaTypeDockerSchema2Layer,
	} {
		config := strings.Replace(emptyConfig, `"layers"}`, `"layers","diff_ids":["`+digest.FromString("x").String()+`"]}`, 1)
		a, err := opened(t, tarOf(t, "manifest.json", `[{"Config":"c","Layers":["l"]}]`, "c", config, "l", start), DockerManifest)
		if err != nil {
			t.Fatal(err)
		}
		index, err := a.Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var manifest ispec.Manifest
		if err := json.Unmarshal(a.made[index.Manifests[0].Digest], &manifest); err != nil {
			t.Fatal(err)
		}
		if got := manifest.Layers[0].MediaType; got != want {
			t.Errorf("a layer that begins with %q has the type %q, want %q", start, got, want)
		}
	}
}

// TestOther gives an archive's other list, which may not be there.
func TestOther(t *testing.T) {
	a, err := opened(t, tarOf(t, "oci-layout", marker, "index.json", `{"manifests":[]}`), OCIIndex)
	if err != nil {
		t.Fatal(err)
	}
	if a.Other() != nil || !a.Has() {
		t.Errorf("a layout has another list: %v, its own: %v", a.Other(), a.Has())
	}
	a, err = opened(t, tarOf(t, "manifest.json", `[{"Config":"x","RepoTags":["a"]}]`, "index.json", `{}`), DockerManifest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := a.Names()
	if err != nil || len(index.Manifests) != 1 || index.Manifests[0].Annotations[images.AnnotationImageName] != "docker.io/library/a:latest" {
		t.Errorf("its names are %v, %v", index.Manifests, err)
	}
	other := a.Other()
	if other == nil || other.Document() != OCIIndex || other.Other().Document() != DockerManifest {
		t.Fatalf("of docker's list the other is %v", other)
	}
	if _, err := other.Index(t.Context()); err == nil || errors.Is(err, errNoArchive) {
		t.Errorf("the other list without oci-layout: %v", err)
	}
}
