package snapshot

import (
	"strings"
	"testing"
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
