package layers

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestBrokenBlobs is what is wrong with a blob or its digests, not with the tar.
func TestBrokenBlobs(t *testing.T) {
	content := layer{file("f", strings.Repeat("content ", 100_000))}.tar()
	gz, zst := gzipped(content), zstandard(content)
	junk := func(b []byte, more string) []byte { return append(bytes.Clone(b), more...) }
	flipped := bytes.Clone(gz)
	flipped[len(flipped)/2] ^= 0xff
	xz := "\xfd7zXZ\x00" + strings.Repeat("x", 600)
	noise := bytes.Repeat([]byte("noise"), 500)
	hidden := append(make([]byte, 2*chunkSize), noise...)
	var s store
	good := s.layer(content, gz)
	for _, c := range []struct {
		name  string
		layer Layer
		want  string
	}{
		{"cut gzip", s.layer(content, gz[:len(gz)-9]), "unexpected EOF"},
		{"cut gzip header", s.layer(content, gz[:5]), "unexpected EOF"},
		{"cut zstd", s.layer(content, zst[:len(zst)-3]), "unexpected EOF"},
		{"garbage after gzip", s.layer(content, junk(gz, strings.Repeat("garbage", 9))), "trailing garbage"},
		{"zeros and garbage after gzip", s.layer(content, junk(gz, strings.Repeat("\x00", 512)+"x")), "trailing garbage"},
		{"garbage after zstd", s.layer(content, junk(zst, strings.Repeat("garbage", 9))), "trailing garbage"},
		{"two bytes after zstd", s.layer(content, junk(zst, "xy")), "unexpected EOF"},
		{"no tar", s.layer([]byte("hello"), []byte("hello")), `its media type "application/vnd.oci.image.layer.v1.tar" says: it is shorter than a tar's header`},
		{"no tar, gzipped", s.layer(noise, gzipped(noise)), "it is something else"},
		{"xz", s.layer([]byte(xz), []byte(xz)), "it is xz"},
		{"zeros and noise", s.layer(hidden, hidden), "it is zeros and then other bytes"},
		{"zeros and noise, zstd", s.layer(hidden, zstandard(hidden)), "it is zeros and then other bytes"},
		{"zeros and noise, another diff ID", s.layer(content, gzipped(hidden)), "(its content is not the tar that"},
		{"another diff ID", withBlob(s.layer([]byte("other"), gz), gz), "digest mismatch: the digest of its content is " + good.DiffID.String()},
		{"another blob of the size", withBlob(good, flipped), "digest mismatch: the digest of its blob is "},
		{"a shorter blob", withBlob(good, gz[:len(gz)-1]), "digest mismatch: the blob has"},
		{"a longer blob", withBlob(good, junk(gz, "x")), "digest mismatch: the blob has"},
		{"no digest", Layer{Descriptor: good.Descriptor, Open: good.Open}, `digest "": `},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), []Layer{good, c.layer}, Options{SpoolDir: t.TempDir(), Workers: 1})
			prefix := fmt.Sprintf("reading layer 2 of 2 (blob %s, diff ID %s): ", c.layer.Descriptor.Digest, c.layer.DiffID)
			if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v,\nwant %s...%s", err, prefix, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "mismatch") != errors.Is(err, ErrMismatch) {
				t.Errorf("%v is not ErrMismatch", err)
			}
		})
	}
	if s.open != 0 {
		t.Errorf("%d blobs are still open", s.open)
	}
}

// withBlob gives the layer other bytes than its descriptor is of.
func withBlob(l Layer, blob []byte) Layer {
	var s store
	l.Open = s.layer(nil, blob).Open
	return l
}
