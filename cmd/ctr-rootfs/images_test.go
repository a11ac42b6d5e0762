package main

import (
	"os"
	"path/filepath"
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
		write func(streams, []snapshot.ImageInfo) error
		want  string
	}{
		{writeNames, "alpine:3.20\n" + `"a\nb\x1b[2J"` + "\n"},
		{writeTable, "NAME           PLATFORM          UNPACKED  LAYERS\n" +
			"alpine:3.20    linux/amd64       no        kept\n" +
			`"a\nb\x1b[2J"  "linux/\x9b\t2J"  no        kept` + "\n"},
	} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.write(streams{out: out}, images); err != nil {
			t.Error(err)
		}
		got, err := os.ReadFile(out.Name())
		if err != nil || string(got) != c.want {
			t.Errorf("it wrote\n%s(%v); want\n%s", got, err, c.want)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	}
}
