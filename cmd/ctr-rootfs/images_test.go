package main

import (
	"io"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// TestImagesStayOnTheirLines lists an image whose name and platform are made to
// command a terminal.
func TestImagesStayOnTheirLines(t *testing.T) {
	images := []snapshot.ImageInfo{
		{Name: "alpine:3.20", Platform: "linux/amd64", Layers: snapshot.LayersKept},
		{Name: "a\nb\x1b[2J", Platform: "linux/\x9b\t2J", Layers: snapshot.LayersKept},
	}
	for _, c := range []struct {
		write func(io.Writer, []snapshot.ImageInfo) error
		want  string
	}{
		{writeNames, "alpine:3.20\n" + `"a\nb\x1b[2J"` + "\n"},
		{writeTable, "NAME           PLATFORM          UNPACKED  LAYERS\n" +
			"alpine:3.20    linux/amd64       no        kept\n" +
			`"a\nb\x1b[2J"  "linux/\x9b\t2J"  no        kept` + "\n"},
	} {
		var got strings.Builder
		if err := c.write(&got, images); err != nil || got.String() != c.want {
			t.Errorf("it wrote\n%s(%v); want\n%s", got.String(), err, c.want)
		}
	}
}
