package integration_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// addBlob puts a blob beside what a content has.
func addBlob(c *imagetest.Content, mediaType string, data []byte) ispec.Descriptor {
	d := ispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	c.Blobs[d.Digest] = data
	return d
}

// addDocument puts a JSON document there.
func addDocument(t *testing.T, c *imagetest.Content, mediaType string, v any) ispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return addBlob(c, mediaType, data)
}

// manifestText is the one manifest of c.
func manifestText(c *imagetest.Content) string {
	return string(c.Blobs[c.Index.Manifests[0].Digest])
}

// editConfig changes the config of the one image of c, and all digests with it.
func editConfig(t *testing.T, c *imagetest.Content, edit func(*ispec.Image)) {
	t.Helper()
	editManifest(t, c, func(m *ispec.Manifest) {
		var config ispec.Image
		if err := json.Unmarshal(c.Blobs[m.Config.Digest], &config); err != nil {
			t.Fatal(err)
		}
		edit(&config)
		m.Config = addDocument(t, c, m.Config.MediaType, config)
	})
}

// TestDocumentsAreWhatTheirDescriptorsSay exports images of which a document is not
// what it is said to be: from a layout and an archive, by the layers and by a view.
func TestDocumentsAreWhatTheirDescriptorsSay(t *testing.T) {
	needsRoot(t)
	// as replaces the manifest by another text.
	as := func(c *imagetest.Content, mediaType, text string) {
		c.Index.Manifests[0] = addBlob(c, mediaType, []byte(text))
	}
	for name, b := range map[string]struct {
		edit func(*imagetest.Content)
		said string // empty where the image is a right one
	}{
		"a manifest without a media type": {func(c *imagetest.Content) {
			as(c, ispec.MediaTypeImageManifest, strings.Replace(manifestText(c), `"mediaType":"`+ispec.MediaTypeImageManifest+`",`, "", 1))
		}, ""},
		"an embedded config": {func(c *imagetest.Content) {
			editManifest(t, c, func(m *ispec.Manifest) {
				m.Config.Data = c.Blobs[m.Config.Digest]
				delete(c.Blobs, m.Config.Digest)
			})
		}, ""},
		"an embedded layer": {func(c *imagetest.Content) {
			editManifest(t, c, func(m *ispec.Manifest) {
				m.Layers[0].Data = c.Blobs[m.Layers[0].Digest]
				delete(c.Blobs, m.Layers[0].Digest)
			})
		}, ""},
		"a manifest and index": {func(c *imagetest.Content) {
			as(c, ispec.MediaTypeImageManifest, strings.Replace(manifestText(c), `{`, `{"manifests":[],`, 1))
		}, `it has "manifests"`},
		"an index and manifest": {func(c *imagetest.Content) {
			as(c, ispec.MediaTypeImageIndex, strings.Replace(strings.Replace(manifestText(c), ispec.MediaTypeImageManifest, ispec.MediaTypeImageIndex, 1), `{`, `{"manifests":[],`, 1))
		}, `it has "config"`},
		"another media type": {func(c *imagetest.Content) {
			as(c, ispec.MediaTypeImageManifest, strings.Replace(manifestText(c), ispec.MediaTypeImageManifest, ispec.MediaTypeImageIndex, 1))
		}, "it says of itself that it is"},
		"layers twice": {func(c *imagetest.Content) {
			as(c, ispec.MediaTypeImageManifest, strings.Replace(manifestText(c), `{`, `{"Layers":[],`, 1))
		}, `it has "layers" twice`},
		"a larger manifest":  {func(c *imagetest.Content) { c.Index.Manifests[0].Size++ }, "its descriptor says"},
		"a smaller manifest": {func(c *imagetest.Content) { c.Index.Manifests[0].Size-- }, "its descriptor says"},
		"a larger config": {func(c *imagetest.Content) {
			editManifest(t, c, func(m *ispec.Manifest) { m.Config.Size++ })
		}, "its descriptor says"},
		"a smaller layer": {func(c *imagetest.Content) {
			editManifest(t, c, func(m *ispec.Manifest) { m.Layers[0].Size-- })
		}, "its descriptor says"},
		"another config embedded": {func(c *imagetest.Content) {
			editManifest(t, c, func(m *ispec.Manifest) { m.Config.Data = []byte(`{}`) })
		}, "its descriptor embeds"},
		"another kind of rootfs": {func(c *imagetest.Content) {
			editConfig(t, c, func(config *ispec.Image) { config.RootFS.Type = "layers+base" })
		}, `its rootfs has the type "layers+base"`},
		"an index.json and manifest": {func(c *imagetest.Content) { c.Index.MediaType = ispec.MediaTypeImageManifest }, "it says of itself that it is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := imagetest.Build("", marked("amd64", "file"))
			if err != nil {
				t.Fatal(err)
			}
			b.edit(content)
			dir := filepath.Join(t.TempDir(), "layout")
			var archive bytes.Buffer
			if err := content.WriteLayout(dir); err != nil {
				t.Fatal(err)
			}
			if err := content.WriteArchive(&archive); err != nil {
				t.Fatal(err)
			}
			store := filepath.Join(t.TempDir(), "store")
			for _, source := range []string{"oci:" + dir, "oci-archive:" + writeFile(t, "image.tar", archive.Bytes())} {
				for _, via := range []string{"layers", "view"} {
					export := []string{"export", "--store", store, "--via", via, "--profile", "none", "--platform", "linux/amd64", source}
					if b.said == "" {
						onlyFile(t, ctrRootfs(t, export...).stdout, "file")
						continue
					}
					folder := t.TempDir()
					badInput{args: append(export, "-o", filepath.Join(folder, "out.tar")), status: statusFailed, wants: []string{"reading image archive", b.said}}.check(t, folder)
				}
			}
		})
	}
}

// TestOneImageBesideWhatSignsIt exports the one image of a layout that also holds its
// signature, its SBOM and the index of its referrers; each of those is named by what
// it is where it is asked for.
func TestOneImageBesideWhatSignsIt(t *testing.T) {
	content, err := imagetest.Build("", marked("amd64", "file"))
	if err != nil {
		t.Fatal(err)
	}
	content.Index.Manifests[0].Platform = nil
	image := content.Index.Manifests[0]
	simple := addBlob(content, "application/vnd.dev.cosign.simplesigning.v1+json", []byte(`{"critical":{}}`))
	signature := addDocument(t, content, ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned: content.Index.Versioned, Layers: []ispec.Descriptor{simple},
		Config: addDocument(t, content, ispec.MediaTypeImageConfig, ispec.Image{RootFS: ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{simple.Digest}}}),
	})
	signature.Annotations = map[string]string{ispec.AnnotationRefName: strings.Replace(image.Digest.String(), ":", "-", 1) + ".sig"}
	const spdx = "application/spdx+json"
	sbom := addDocument(t, content, ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned: content.Index.Versioned, ArtifactType: spdx, Subject: &image,
		Config: addBlob(content, ispec.MediaTypeEmptyJSON, []byte(`{}`)), Layers: []ispec.Descriptor{addBlob(content, spdx, []byte(`{"spdx":1}`))},
	})
	sbom.ArtifactType = spdx
	index := content.Index
	index.Manifests = []ispec.Descriptor{sbom}
	referrers := addDocument(t, content, ispec.MediaTypeImageIndex, index)
	referrers.Annotations = map[string]string{ispec.AnnotationRefName: strings.Replace(image.Digest.String(), ":", "-", 1)}
	content.Index.Manifests = []ispec.Descriptor{signature, sbom, image, referrers}

	dir := t.TempDir()
	if err := content.WriteLayout(dir); err != nil {
		t.Fatal(err)
	}
	export := func(ref string) outcome {
		return invocation{args: []string{"export", "--profile", "none", "--platform", "linux/amd64", "oci:" + dir + ref}}.run(t)
	}
	for _, ref := range []string{"", ":" + image.Digest.String()} {
		o := export(ref)
		if o.status != 0 {
			t.Fatalf("%q: exit status %d\n%s", ref, o.status, o.stderr)
		}
		onlyFile(t, o.stdout, "file")
	}
	for desc, said := range map[*ispec.Descriptor]string{&signature: "a signature", &sbom: "an SBOM", &referrers: "an SBOM"} {
		o := export(":" + desc.Digest.String())
		if o.status != statusNotFound {
			t.Errorf("%s: exit status %d", said, o.status)
		}
		checkError(t, o.stderr, "it is "+said+", not an image", desc.Digest.String())
	}
}
