package imagetest_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestTarIsReadByGo reads each standard layer back with a tar library that is
// not ours, and compares what a header may not be able to hold.
func TestTarIsReadByGo(t *testing.T) {
	long := string(bytes.Repeat([]byte("n"), 300))
	tests := map[string]imagetest.Entry{
		"long name":       imagetest.File(long, 0o644, "x"),
		"long target":     imagetest.Symlink("l", long),
		"negative time":   imagetest.File("f", 0o644, "").At(time.Unix(-2, 500_000_000)),
		"nanoseconds":     imagetest.File("f", 0o644, "").At(time.Unix(1, 1)),
		"owner over 2^21": imagetest.File("f", 0o644, "").Own(1<<21+1, 1<<31-1),
		"device":          imagetest.Char("c", 0o600, 511, 32767),
		"directory":       imagetest.Dir("d", 0o1777),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := tar.NewReader(bytes.NewReader(imagetest.Layer{want}.Tar())).Next()
			if err != nil {
				t.Fatal(err)
			}
			got := imagetest.Entry{
				Name: h.Name, Typeflag: h.Typeflag, Mode: h.Mode, UID: int64(h.Uid), GID: int64(h.Gid),
				MTime: h.ModTime, Target: h.Linkname, Major: h.Devmajor, Minor: h.Devminor,
			}
			if got.Name != want.Name || got.Target != want.Target || got.Typeflag != want.Typeflag || got.Mode != want.Mode {
				t.Errorf("name, target, type or mode: got %q %q %c %o", got.Name, got.Target, got.Typeflag, got.Mode)
			}
			if got.UID != want.UID || got.GID != want.GID || got.Major != want.Major || got.Minor != want.Minor {
				t.Errorf("owner or device: got %d:%d %d,%d", got.UID, got.GID, got.Major, got.Minor)
			}
			if !got.MTime.Equal(want.MTime) {
				t.Errorf("time: got %v, want %v", got.MTime, want.MTime)
			}
		})
	}
}

func TestXattrsReachTheReader(t *testing.T) {
	e := imagetest.File("f", 0o644, "").Xattr("user.a=b%", "\x00\n=").Xattr("user.e", "")
	h, err := tar.NewReader(bytes.NewReader(imagetest.Layer{e}.Tar())).Next()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"SCHILY.xattr.user.a%3Db%25": "\x00\n=", "SCHILY.xattr.user.e": ""} {
		if got, ok := h.PAXRecords[key]; !ok || got != want {
			t.Errorf("record %q: got %q (there: %v), want %q", key, got, ok, want)
		}
	}
}

// TestImagesAreWellFormed reads every layer of every image to its end.
func TestImagesAreWellFormed(t *testing.T) {
	images := map[string]imagetest.Image{
		"standard": imagetest.Standard([]byte("program")), "usr-etc": imagetest.UsrEtc(), "torture": imagetest.Torture(),
		"one program": imagetest.OneProgram([]byte("program")), "many layers": imagetest.ManyLayers(120),
	}
	for name, image := range images {
		t.Run(name, func(t *testing.T) {
			for i, l := range image.Layers {
				if got := countEntries(t, l.Tar()); got != len(l) {
					t.Errorf("layer %d: read %d entries, want %d", i, got, len(l))
				}
			}
		})
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	for _, c := range []imagetest.Compression{imagetest.Gzip, imagetest.Plain, imagetest.Zstd} {
		var digests []string
		for range 2 {
			image := imagetest.Torture()
			image.Compression = c
			content, err := imagetest.Build("example.com/torture:1", image)
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, content.Index.Manifests[0].Digest.String())
		}
		if digests[0] != digests[1] {
			t.Errorf("compression %d: two builds gave %s and %s", c, digests[0], digests[1])
		}
	}
}

func countEntries(t *testing.T, data []byte) int {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(data))
	for n := 0; ; n++ {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("entry %d: %v", n, err)
		}
	}
}
