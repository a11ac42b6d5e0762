package layertype

import (
	"errors"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const oci, docker = "application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."

func TestFormatOf(t *testing.T) {
	for mediaType, want := range map[string]Format{
		oci + "v1.tar":                            Tar,
		oci + "v1.tar+gzip":                       Tar,
		oci + "v1.tar+zstd":                       Tar,
		oci + "nondistributable.v1.tar":           Tar,
		oci + "nondistributable.v1.tar+gzip":      Tar,
		oci + "nondistributable.v1.tar+zstd":      Tar,
		docker + "diff.tar":                       Tar,
		docker + "diff.tar.gzip":                  Tar,
		docker + "diff.tar.zstd":                  Tar,
		docker + "foreign.diff.tar":               Tar,
		docker + "foreign.diff.tar.gzip":          Tar,
		"application/vnd.erofs.layer.v1":          EROFS,
		"application/vnd.erofs.layer.v1+zstd":     EROFS,
		"application/vnd.erofs.layer.v1+gzip":     "",
		"application/vnd.erofs.layer":             "",
		"":                                        "",
		" ":                                       "",
		oci + "v1.tar ":                           "",
		oci + "v1.tar+gzip; x=1":                  "",
		oci + "v1.TAR":                            "",
		oci + "v1.tar+":                           "",
		oci + "v1":                                "",
		oci:                                       "",
		oci + "v2.tar":                            "",
		oci + "v1.tar.gzip":                       "",
		oci + "v1.tar+xz":                         "",
		oci + "v1.tar+lz4":                        "",
		oci + "v1.tar+bzip2":                      "",
		oci + "v1.tar+encrypted":                  "",
		oci + "v1.tar+gzip+encrypted":             "",
		oci + "v1.tar+zstd+encrypted":             "",
		oci + "nondistributable.v1.tar+encrypted": "",
		docker + "diff.tar.gzip+encrypted":        "",
		docker + "diff.tar+gzip":                  "",
		oci + "nydus.blob.v1":                     "",
		oci + "v1.erofs":                          "",
		oci + "v1.squashfs":                       "",
		oci + "squashfs":                          "",
		oci + "ext4":                              "",
		"application/vnd.stacker.image.layer.squashfs+zstd+verity":  "",
		"application/vnd.erofs.layer.v2":                            "",
		"application/vnd.in-toto+json":                              "",
		"application/octet-stream":                                  "",
		"application/x-tar":                                         "",
		"application/tar+gzip":                                      "",
		"application/vnd.wasm.content.layer.v1+wasm":                "",
		"application/vnd.cncf.helm.chart.content.v1.tar+gzip":       "",
		"application/vnd.docker.container.image.rootfs.diff+x-gtar": "",
		ispec.MediaTypeImageManifest:                                "",
		ispec.MediaTypeImageIndex:                                   "",
		ispec.MediaTypeImageConfig:                                  "",
	} {
		if got := FormatOf(mediaType); got != want {
			t.Errorf("%q is read as %q, want %q", mediaType, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	tar := ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer}
	named := func(mediaType string) ispec.Descriptor {
		return ispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(mediaType)}
	}
	for _, c := range []struct {
		layers    []ispec.Descriptor
		number    int // of the one that is told, 0 for none
		encrypted bool
	}{
		{nil, 0, false},
		{[]ispec.Descriptor{tar, tar}, 0, false},
		{[]ispec.Descriptor{named("")}, 1, false},
		{[]ispec.Descriptor{tar, named(oci + "v1.tar+gzip+encrypted"), tar}, 2, true},
		{[]ispec.Descriptor{tar, named(docker + "diff.tar.gzip+enc"), tar}, 2, true},
		{[]ispec.Descriptor{tar, tar, named("application/vnd.in-toto+json")}, 3, false},
		{[]ispec.Descriptor{tar, named(oci + "nydus.blob.v1"), named("")}, 2, false},
	} {
		for _, way := range []Way{Merging, Unpacking} {
			err := Check(c.layers, way)
			if c.number == 0 {
				if err != nil {
					t.Errorf("%v: %v", c.layers, err)
				}
				continue
			}
			var told *Error
			if !errors.As(err, &told) {
				t.Errorf("%v: error %v, want an *Error", c.layers, err)
				continue
			}
			want := Error{c.layers[c.number-1].MediaType, c.layers[c.number-1].Digest, c.number, len(c.layers)}
			if *told != want || told.Encrypted() != c.encrypted || told.ByMerging() {
				t.Errorf("%v: %v (encrypted: %v), want %v", c.layers, told, told.Encrypted(), &want)
			}
		}
	}
}

// TestErofsIsMerged: containerd's own differ, which unpacks in the embedded
// store, knows no filesystems.
func TestErofsIsMerged(t *testing.T) {
	layers := []ispec.Descriptor{{MediaType: ispec.MediaTypeImageLayer}, {MediaType: "application/vnd.erofs.layer.v1+zstd"}}
	if err := Check(layers, Merging); err != nil {
		t.Errorf("merging: %v", err)
	}
	var told *Error
	if err := Check(layers, Unpacking); !errors.As(err, &told) || !told.ByMerging() || told.Number != 2 {
		t.Errorf("unpacking: %v, want an *Error about layer 2 that merging reads", err)
	}
}

// TestErrorText is what a user reads.
func TestErrorText(t *testing.T) {
	err := &Error{MediaType: oci + "v1.tar+xz", Digest: "sha256:d", Number: 2, Of: 3}
	const want = `layer 2 of 3 (sha256:d) has the media type "application/vnd.oci.image.layer.v1.tar+xz", which is not read`
	if err.Error() != want {
		t.Errorf("got %s\nwant %s", err, want)
	}
}
