package export_test

import (
	"slices"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

func TestCompareIsWalkOrder(t *testing.T) {
	want := []string{"A", "a", "a/b", "a/b/c", "a/b!", "a\x00", "a\n", "a!", "a-b", "a.b", "ab", "b", "\xff"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, export.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %q, want %q", got, want)
	}
}
