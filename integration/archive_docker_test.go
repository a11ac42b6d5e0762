package integration_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// savedImage is an entry of docker's manifest.json.
type savedImage struct {
	Config           string
	RepoTags, Layers []string
}

// twoSaved are two images that share a layer.
func twoSaved() map[string]imagetest.Image {
	shared := imagetest.Layer{imagetest.File("shared", 0o644, "")}
	return map[string]imagetest.Image{
		"first:1":  {Layers: []imagetest.Layer{shared}, Compression: imagetest.Plain},
		"second:1": {Layers: []imagetest.Layer{shared, {imagetest.File("second", 0o644, "")}}, Compression: imagetest.Plain},
	}
}

// savedInFolders is what `docker save` wrote until version 24: a folder a layer,
// where a layer that is there already is a symlink to it.
func savedInFolders(t *testing.T) []byte {
	t.Helper()
	var entries imagetest.Layer
	var manifest []savedImage
	for name, image := range twoSaved() {
		content, m := manifestOf(t, "", image)
		folder := strings.TrimSuffix(name, ":1")
		s := savedImage{Config: folder + ".json", RepoTags: []string{name}}
		entries = append(entries, fileEntry(s.Config, content.Blobs[m.Config.Digest]))
		for i, l := range m.Layers {
			layer := folder + strings.Repeat("x", i) + "/layer.tar"
			s.Layers = append(s.Layers, layer)
			if i == 0 {
				entries = append(entries, imagetest.Symlink(layer, "../shared/layer.tar"))
			} else {
				entries = append(entries, fileEntry(layer, content.Blobs[l.Digest]))
			}
		}
		manifest = append(manifest, s)
	}
	shared := twoSaved()["first:1"].Layers[0]
	entries = append(entries, fileEntry("shared/layer.tar", shared.Tar()), jsonEntry(t, "manifest.json", manifest))
	return entries.Tar()
}

// savedTwice is what docker writes since version 25: a layout that has a
// manifest.json, too. Of an odd one the layout lists what 25.0.0 wrote, manifests
// without layers, or one image of the two.
func savedTwice(t *testing.T, odd string) []byte {
	t.Helper()
	var entries imagetest.Layer
	var saved []savedImage
	index := ispec.Index{MediaType: ispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for name, image := range twoSaved() {
		content, m := manifestOf(t, "docker.io/library/"+name, image)
		for d, data := range content.Blobs {
			entries = append(entries, fileEntry("blobs/sha256/"+d.Encoded(), data))
		}
		s := savedImage{Config: "blobs/sha256/" + m.Config.Digest.Encoded(), RepoTags: []string{name}}
		for _, l := range m.Layers {
			s.Layers = append(s.Layers, "blobs/sha256/"+l.Digest.Encoded())
		}
		saved = append(saved, s)
		desc := content.Index.Manifests[0]
		if odd == "25.0.0" {
			m.Layers = nil
			text := jsonEntry(t, "", m).Body
			desc.Digest, desc.Size = digest.FromBytes(text), int64(len(text))
			entries = append(entries, fileEntry("blobs/sha256/"+desc.Digest.Encoded(), text))
		}
		if odd != "one" || name == "first:1" {
			index.Manifests = append(index.Manifests, desc)
		}
	}
	entries = append(entries, jsonEntry(t, "index.json", index), jsonEntry(t, "manifest.json", saved),
		jsonEntry(t, "oci-layout", ispec.ImageLayout{Version: ispec.ImageLayoutVersion}))
	return entries.Tar()
}

// manifestOf is an image's content and its manifest.
func manifestOf(t *testing.T, name string, image imagetest.Image) (content *imagetest.Content, m ispec.Manifest) {
	t.Helper()
	content, err := imagetest.Build(name, image)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content.Blobs[content.Index.Manifests[0].Digest], &m); err != nil {
		t.Fatal(err)
	}
	return content, m
}

func jsonEntry(t *testing.T, name string, document any) imagetest.Entry {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return fileEntry(name, text)
}

// TestSavedByDocker chooses one of two images that share a layer.
func TestSavedByDocker(t *testing.T) {
	needsRoot(t)
	first, second := "docker.io/library/first:1", "docker.io/library/second:1"
	for _, data := range [][]byte{savedInFolders(t), savedTwice(t, ""), savedTwice(t, "25.0.0"), savedTwice(t, "one")} {
		at := "docker-archive:" + writeFile(t, "saved.tar", data)
		for _, c := range []archiveChoice{
			{at + ":first:1", []string{"shared"}, nil},
			{at + ":" + second, []string{"second", "shared"}, nil},
			{at, nil, []string{first, second}},
		} {
			c.check(t)
		}
	}
}

// TestOtherListOfImages says by which word an archive of docker's is read where the
// other list of its images does not do.
func TestOtherListOfImages(t *testing.T) {
	needsRoot(t)
	whole := writeFile(t, "saved.tar", savedTwice(t, ""))
	odd, one := writeFile(t, "odd.tar", savedTwice(t, "25.0.0")), writeFile(t, "one.tar", savedTwice(t, "one"))
	folders := writeFile(t, "folders.tar", savedInFolders(t))
	for _, c := range []struct {
		source string
		status int
		wants  []string
	}{
		{"oci-archive:" + whole + ":second:1", 0, nil},
		{"oci-archive:" + one + ":first:1", 0, nil},
		{"oci-archive:" + one, statusNotFound, []string{`"` + one + `"`, "docker.io/library/second:1", "its manifest.json is read as docker-archive:" + one}},
		{"oci-archive:" + one + ":second:1", statusNotFound, []string{`"second:1"`, "its manifest.json is read as docker-archive:" + one + ":second:1"}},
		{"oci-archive:" + odd + ":first:1", statusFailed, []string{"0 layers", "its manifest.json is read as docker-archive:" + odd + ":first:1"}},
		{"oci-archive:" + folders + ":first:1", statusFailed, []string{"it has no index.json", "its manifest.json is read as docker-archive:" + folders + ":first:1"}},
	} {
		o := invocation{args: []string{"ls", "--progress", "quiet", c.source}}.run(t)
		if o.status != c.status {
			t.Errorf("%s: exit status %d, want %d\n%s", c.source, o.status, c.status, o.stderr)
		}
		if c.status != 0 {
			checkError(t, o.stderr, c.wants...)
		}
	}
}
