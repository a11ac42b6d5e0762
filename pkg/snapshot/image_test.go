package snapshot

import (
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestUnknownLayer says which layer of a manifest is of a kind that nobody
// knows, instead of counting those that are.
func TestUnknownLayer(t *testing.T) {
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	const layer = "application/vnd.oci.image.layer.v1.tar"
	for mediaType, said := range map[string]string{
		layer:               "",
		"application/x-tar": `layer 1 has the media type "application/x-tar", which is not a layer's`,
		"":                  `layer 1 has the media type ""`,
	} {
		c := collect(seedIndex, "", strings.Replace(seedManifest, layer, mediaType, 1), seedConfig)
		_, err := chosen(t.Context(), c, Source{Kind: OCIArchive, Name: "f.tar"}, want)
		if (err == nil) != (said == "") || err != nil && !strings.Contains(err.Error(), said) {
			t.Errorf("media type %q: error %v, want %q", mediaType, err, said)
		}
	}
}

// TestNoLayers tells an image that has no layers at all from an artifact, whose
// manifest lists something else and whose config says nothing of an image.
func TestNoLayers(t *testing.T) {
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	const layers = `"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"` + configPlace + `","size":9}]`
	manifest, _, _ := strings.Cut(seedManifest, `"layers"`)
	for _, c := range []struct{ manifest, config, said string }{
		{manifest + `"layers":[]}`, `{"os":"linux","architecture":"amd64"}`, ""},
		{manifest + layers + `}`, `{}`, `layer 1 has the media type "application/vnd.cncf.helm.chart.content.v1.tar+gzip", which is not a layer's`},
	} {
		image, err := chosen(t.Context(), collect(seedIndex, "", c.manifest, c.config), Source{Kind: OCIArchive, Name: "f.tar"}, want)
		if c.said == "" && (err != nil || len(image.Layers) != 0) || c.said != "" && (err == nil || !strings.Contains(err.Error(), c.said)) {
			t.Errorf("manifest %s: error %v, want %q", c.manifest, err, c.said)
		}
	}
}

// TestUnnamedArchitecture takes an image that names no architecture, whichever
// is wanted, as containerd does, where it is the only one.
func TestUnnamedArchitecture(t *testing.T) {
	want, err := platform("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Replace(seedIndex, `"platform":{"os":"linux","architecture":"amd64"},`, "", 1)
	two := strings.Replace(one, `[{`, `[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"`+manifestPlace+`","platform":{"os":"linux","architecture":"s390x"}},{`, 1)
	for name, c := range map[string]struct {
		index, platform string
		taken           bool
	}{
		"another":           {one, `"os":"linux","architecture":"amd64",`, false},
		"none":              {one, ``, true},
		"no architecture":   {one, `"os":"linux",`, true},
		"of another system": {one, `"os":"windows",`, false},
		"one of two":        {two, `"os":"linux",`, false},
	} {
		config := strings.Replace(seedConfig, `"os":"linux","architecture":"amd64",`, c.platform, 1)
		image, err := chosen(t.Context(), collect(c.index, "", seedManifest, config), Source{Kind: OCIArchive, Name: "f.tar"}, want)
		if (err == nil) != c.taken || c.taken && image == nil {
			t.Errorf("%s: error %v, taken: want %v", name, err, c.taken)
		}
	}
}

// TestOrUnnamed fetches what names no architecture beside what is wanted, and
// rather the latter.
func TestOrUnnamed(t *testing.T) {
	want, err := platform("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	m := orUnnamed{want.match}
	arm, none := ispec.Platform{OS: "linux", Architecture: "arm64"}, ispec.Platform{}
	for p, matched := range map[string]bool{"linux/arm64": true, "/": true, "linux/": true, "linux/amd64": false, "windows/": false, "unknown/unknown": false} {
		os, arch, _ := strings.Cut(p, "/")
		if m.Match(ispec.Platform{OS: os, Architecture: arch}) != matched {
			t.Errorf("%q: matched %v, want %v", p, !matched, matched)
		}
	}
	if !m.Less(arm, none) || m.Less(none, arm) {
		t.Error("what names no architecture comes before what is wanted")
	}
}
