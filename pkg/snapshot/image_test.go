package snapshot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// TestUnknownLayer says which layer of a manifest is of a kind that is not read,
// however many diff IDs the config has, instead of counting those that are.
func TestUnknownLayer(t *testing.T) {
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	const tar, encrypted, inToto, erofs = ispec.MediaTypeImageLayer, ispec.MediaTypeImageLayerGzip + "+encrypted", "application/vnd.in-toto+json", "application/vnd.erofs.layer.v2"
	for _, c := range []struct {
		layers []string
		ids    int
		said   string
	}{
		{[]string{tar}, 1, ""},
		{[]string{tar, "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}, 3, ""},
		{nil, 0, ""},
		{[]string{"application/x-tar"}, 1, `layer 1 of 1 (DIGEST) has the media type "application/x-tar"`},
		{[]string{"application/octet-stream"}, 0, `layer 1 of 1 (DIGEST) has the media type "application/octet-stream"`},
		{[]string{""}, 1, `layer 1 of 1 (DIGEST) has the media type ""`},
		{[]string{tar, encrypted}, 2, `layer 2 of 2 (DIGEST) has the media type "` + encrypted + `"`},
		{[]string{tar, encrypted}, 1, `layer 2 of 2 (DIGEST) has the media type "` + encrypted + `"`},
		{[]string{tar, inToto}, 2, `layer 2 of 2 (DIGEST) has the media type "` + inToto + `"`},
		// containerd passes over the one that the config has no diff ID of.
		{[]string{tar, inToto, tar}, 2, `layer 2 of 3 (DIGEST) has the media type "` + inToto + `"`},
		{[]string{"", tar}, 1, `layer 1 of 2 (DIGEST) has the media type ""`},
		{[]string{erofs}, 1, `layer 1 of 1 (DIGEST) has the media type "` + erofs + `"`},
		{[]string{tar, tar}, 1, `it lists 2 layers, its config 1 diff IDs`},
		{[]string{tar}, 2, `it lists 1 layers, its config 2 diff IDs`},
		{[]string{tar}, 0, `it lists 1 layers, its config 0 diff IDs`},
	} {
		blob := digest.FromString(strings.Replace(seedConfig, `"`+configPlace+`"`, ids(c.ids), 1)).String()
		manifest, _, _ := strings.Cut(seedManifest, `"layers"`)
		var layers []string
		for _, mediaType := range c.layers {
			layers = append(layers, fmt.Sprintf(`{"mediaType":%q,"digest":%q}`, mediaType, configPlace))
		}
		manifest += `"layers":[` + strings.Join(layers, ",") + `]}`
		for _, way := range []layertype.Way{layertype.Merging, layertype.Unpacking} {
			all := collect(seedIndex, "", manifest, strings.Replace(seedConfig, `"`+configPlace+`"`, ids(c.ids), 1))
			_, err := chosen(t.Context(), all, Source{Kind: OCIArchive, Name: "f.tar"}, want, way)
			said := strings.Replace(c.said, "DIGEST", blob, 1)
			if (err == nil) != (said == "") || err != nil && !strings.Contains(err.Error(), said) {
				t.Errorf("%q and %d diff IDs: error %v, want %q", c.layers, c.ids, err, said)
			}
		}
	}
}

// ids lists n diff IDs.
func ids(n int) string {
	return strings.TrimSuffix(strings.Repeat(`"`+digest.FromString("").String()+`",`, n), ",")
}

// TestNoLayers tells an image that has no layers at all from an artifact, whose
// manifest lists something else and whose config says nothing of an image.
func TestNoLayers(t *testing.T) {
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	const layers = `"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"` + configPlace + `"}]`
	manifest, _, _ := strings.Cut(seedManifest, `"layers"`)
	for _, c := range []struct{ manifest, config, said string }{
		{manifest + `"layers":[]}`, `{"os":"linux","architecture":"amd64"}`, ""},
		{manifest + layers + `}`, `{}`, `it is a Helm chart, not an image: layer 1 of 1 (` + digest.FromString(`{}`).String() + `) has the media type "application/vnd.cncf.helm.chart.content.v1.tar+gzip"`},
	} {
		image, err := chosen(t.Context(), collect(seedIndex, "", c.manifest, c.config), Source{Kind: OCIArchive, Name: "f.tar"}, want, layertype.Merging)
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
		image, err := chosen(t.Context(), collect(c.index, "", seedManifest, config), Source{Kind: OCIArchive, Name: "f.tar"}, want, layertype.Merging)
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
	m := orUnnamed{want}
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
