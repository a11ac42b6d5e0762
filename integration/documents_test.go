package integration_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
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

// signed is the one image of a content, and what refers to it there.
type signed struct {
	*imagetest.Content
	image, signature, sbom, referrers ispec.Descriptor
}

// signedImage is an image beside its signature, its SBOM and the index of its
// referrers, which bear the tags that cosign and others give them.
func signedImage(t *testing.T) signed {
	t.Helper()
	content, err := imagetest.Build("docker.io/library/app:1", marked("amd64", "file"))
	if err != nil {
		t.Fatal(err)
	}
	content.Index.Manifests[0].Platform = nil
	s := signed{Content: content, image: content.Index.Manifests[0]}
	simple := addBlob(content, "application/vnd.dev.cosign.simplesigning.v1+json", []byte(`{"critical":{}}`))
	s.signature = addDocument(t, content, ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned: content.Index.Versioned, Layers: []ispec.Descriptor{simple},
		Config: addDocument(t, content, ispec.MediaTypeImageConfig, ispec.Image{RootFS: ispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{simple.Digest}}}),
	})
	s.signature.Annotations = map[string]string{ispec.AnnotationRefName: strings.Replace(s.image.Digest.String(), ":", "-", 1) + ".sig"}
	const spdx = "application/spdx+json"
	s.sbom = addDocument(t, content, ispec.MediaTypeImageManifest, ispec.Manifest{
		Versioned: content.Index.Versioned, ArtifactType: spdx, Subject: &s.image,
		Config: addBlob(content, ispec.MediaTypeEmptyJSON, []byte(`{}`)), Layers: []ispec.Descriptor{addBlob(content, spdx, []byte(`{"spdx":1}`))},
	})
	s.sbom.ArtifactType = spdx
	index := content.Index
	index.Manifests = []ispec.Descriptor{s.sbom}
	s.referrers = addDocument(t, content, ispec.MediaTypeImageIndex, index)
	s.referrers.Annotations = map[string]string{ispec.AnnotationRefName: strings.Replace(s.image.Digest.String(), ":", "-", 1)}
	content.Index.Manifests = []ispec.Descriptor{s.signature, s.sbom, s.image, s.referrers}
	return s
}

// TestOneImageBesideWhatSignsIt exports the one image of a layout that also holds its
// signature, its SBOM and the index of its referrers; each of those is named by what
// it is where it is asked for.
func TestOneImageBesideWhatSignsIt(t *testing.T) {
	s := signedImage(t)
	dir := t.TempDir()
	if err := s.WriteLayout(dir); err != nil {
		t.Fatal(err)
	}
	export := func(ref string) outcome {
		return invocation{args: []string{"export", "--profile", "none", "--platform", "linux/amd64", "oci:" + dir + ref}}.run(t)
	}
	for _, ref := range []string{"", ":" + s.image.Digest.String()} {
		o := export(ref)
		if o.status != 0 {
			t.Fatalf("%q: exit status %d\n%s", ref, o.status, o.stderr)
		}
		onlyFile(t, o.stdout, "file")
	}
	for desc, said := range map[*ispec.Descriptor]string{&s.signature: "a signature", &s.sbom: "an SBOM", &s.referrers: "an SBOM"} {
		o := export(":" + desc.Digest.String())
		if o.status != statusNotFound {
			t.Errorf("%s: exit status %d", said, o.status)
		}
		checkError(t, o.stderr, "it is "+said+", not an image", desc.Digest.String())
	}
}

// saved is the entry of an image in docker's manifest.json.
func saved(t *testing.T, c *imagetest.Content, desc ispec.Descriptor, tag string) savedImage {
	t.Helper()
	var m ispec.Manifest
	if err := json.Unmarshal(c.Blobs[desc.Digest], &m); err != nil {
		t.Fatal(err)
	}
	s := savedImage{Config: "blobs/sha256/" + m.Config.Digest.Encoded(), RepoTags: []string{tag}}
	for _, l := range m.Layers {
		s.Layers = append(s.Layers, "blobs/sha256/"+l.Digest.Encoded())
	}
	return s
}

// TestListsBesideWhatSignsAnImage compares both lists of an archive by the images that
// they have: what signs one of them counts for none.
func TestListsBesideWhatSignsAnImage(t *testing.T) {
	s := signedImage(t)
	second, _ := manifestOf(t, "docker.io/library/second:1", marked("amd64", "second"))
	maps.Copy(s.Blobs, second.Blobs)
	other := second.Index.Manifests[0]
	app, two := saved(t, s.Content, s.image, "app:1"), saved(t, s.Content, other, "second:1")
	signature := saved(t, s.Content, s.signature, "app:"+s.signature.Annotations[ispec.AnnotationRefName])
	odd := saved(t, s.Content, s.signature, "app:signed") // a tag that does not tell
	all := s.Index.Manifests
	odder := slices.Clone(all)
	odder[0].Annotations = map[string]string{ispec.AnnotationRefName: "docker.io/library/app:signed"}
	for _, c := range []struct {
		name  string
		index []ispec.Descriptor
		saved []savedImage
		// said is which image more the list has that is not read by this prefix; it is
		// empty where the image is exported.
		prefix, said string
	}{
		{"as docker saves them", all, []savedImage{app}, "docker-archive:", ""},
		{"as docker saves them", all, []savedImage{app}, "oci-archive:", ""},
		{"as ctr exports them", all, []savedImage{signature, app}, "docker-archive:", ""},
		{"as ctr exports them", all, []savedImage{signature, app}, "oci-archive:", ""},
		{"a signature of another name", odder, []savedImage{app, odd}, "oci-archive:", ""},
		{"one image more saved", all, []savedImage{app, two}, "oci-archive:", "docker.io/library/second:1"},
		{"one image more listed", append(slices.Clip(all), other), []savedImage{app, signature}, "docker-archive:", "docker.io/library/second:1"},
	} {
		var entries imagetest.Layer
		for d, data := range s.Blobs {
			entries = append(entries, fileEntry("blobs/sha256/"+d.Encoded(), data))
		}
		index := s.Index
		index.Manifests = c.index
		entries = append(entries, jsonEntry(t, "index.json", index), jsonEntry(t, "manifest.json", c.saved),
			jsonEntry(t, "oci-layout", ispec.ImageLayout{Version: ispec.ImageLayoutVersion}))
		o := invocation{args: []string{"export", "--profile", "none", "--platform", "linux/amd64", c.prefix + writeFile(t, "saved.tar", entries.Tar())}}.run(t)
		if c.said == "" && o.status == 0 {
			onlyFile(t, o.stdout, "file")
			continue
		}
		if o.status != statusNotFound || c.said == "" {
			t.Errorf("%s, %s: exit status %d\n%s", c.name, c.prefix, o.status, o.stderr)
			continue
		}
		checkError(t, o.stderr, "its other list of images has more: "+c.said)
	}
}
