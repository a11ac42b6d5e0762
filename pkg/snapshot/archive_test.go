package snapshot

import (
	"errors"
	"slices"
	"strings"
	"testing"

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
