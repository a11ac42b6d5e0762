package snapshot

import (
	"errors"
	"slices"
	"testing"
)

// TestReferenceError lists what an archive holds where it does not have what was
// asked for.
func TestReferenceError(t *testing.T) {
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	src := Source{Kind: OCIArchive, Name: "f.tar", Ref: "2"}
	_, err = chosen(t.Context(), collect(seedIndex, "", seedManifest, seedConfig), src, want)
	var reference *ReferenceError
	if !errors.As(err, &reference) || reference.Path != "f.tar" || reference.Ref != "2" || !slices.Equal(reference.Have, []string{"1"}) || !errors.Is(err, ErrNotFound) {
		t.Errorf("%s gives %v, want a ReferenceError that lists 1", src, err)
	}
}
