package snapshot

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// described is a descriptor as a manifest or index holds it.
func described(d ispec.Descriptor) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, d.MediaType, d.Digest, d.Size)
}

// TestOddManifests has an index list, beside the image for linux/amd64, what names
// no platform and is absent or no image: that is told only to who wants another.
func TestOddManifests(t *testing.T) {
	c := memoryCollection{documents: documents{}}
	manifest := func(config, layers string) string {
		text := `{"config":` + described(c.add(ispec.MediaTypeImageConfig, []byte(config))) + `,"layers":[` + layers + `]}`
		return described(c.add(ispec.MediaTypeImageManifest, []byte(text)))
	}
	image := manifest(`{"os":"linux","architecture":"amd64"}`, "")
	for name, odd := range map[string]struct {
		listed, said string
		absent       bool
	}{
		"absent":       {described(ispec.Descriptor{MediaType: ispec.MediaTypeImageManifest, Digest: digest.FromString("absent"), Size: 9}), "not found", true},
		"absent index": {described(ispec.Descriptor{MediaType: ispec.MediaTypeImageIndex, Digest: digest.FromString("absent"), Size: 9}), "not found", true},
		"a chart":      {manifest(`{}`, described(c.add("application/x-chart", []byte("chart")))), "application/x-chart", false},
		"no config":    {manifest(`[]`, ""), "it is not a JSON object", false},
	} {
		for _, list := range []string{odd.listed, image + "," + odd.listed, odd.listed + "," + image} {
			index := c.add(ispec.MediaTypeImageIndex, []byte(`{"manifests":[`+list+`]}`))
			for _, text := range []string{"linux/amd64", "linux/s390x"} {
				want, err := platform(text)
				if err != nil {
					t.Fatal(err)
				}
				got, err := choose(t.Context(), c, "x", []ispec.Descriptor{index}, want)
				if list != odd.listed && text == "linux/amd64" {
					if err != nil || got.PlatformText() != text {
						t.Errorf("%s: %s: error %v", name, text, err)
					}
					continue
				}
				said := odd.said
				if name == "a chart" && list != odd.listed {
					said = "the image has linux/amd64" // and nobody asked for a chart
				}
				if err == nil || !strings.Contains(err.Error(), said) || errdefs.IsNotFound(err) != odd.absent {
					t.Errorf("%s: %s: error %v, want %q", name, text, err, said)
				}
				var none *PlatformError
				if errors.As(err, &none) != (list != odd.listed) {
					t.Errorf("%s: %s: error %v does not say which platforms there are", name, text, err)
				}
			}
		}
	}
}

// TestManySameManifests has an index list one manifest again and again, whose
// config is large: nothing of it is kept but its platform, what is read has a
// limit, and the end of ctx is one.
func TestManySameManifests(t *testing.T) {
	c := memoryCollection{documents: documents{}}
	config := c.add(ispec.MediaTypeImageConfig, []byte(`{"os":"linux","architecture":"amd64","author":"`+strings.Repeat("x", 2<<20)+`"}`))
	manifest := c.add(ispec.MediaTypeImageManifest, []byte(`{"config":`+described(config)+`,"layers":[]}`))
	index := func(times int) ispec.Descriptor {
		list := strings.TrimSuffix(strings.Repeat(described(manifest)+",", times), ",")
		return c.add(ispec.MediaTypeImageIndex, []byte(`{"manifests":[`+list+`]}`))
	}
	few := index(8)
	before := heapInUse()
	search, err := manifests(t.Context(), c, few)
	if err != nil {
		t.Fatal(err)
	}
	if kept := heapInUse() - before; len(search.found) != 8 || len(search.odd) != 0 || kept > 4<<20 {
		t.Errorf("8 times: %d found, %v; %d bytes are kept", len(search.found), search.odd, kept)
	}
	runtime.KeepAlive(search)
	limited := search.blobs.(*searched)
	if read := maxSearched - limited.left; read < 8*config.Size {
		t.Errorf("8 times: %d bytes of the limit are used", read)
	}
	limited.left = 2 * config.Size // the whole limit takes half a minute to read
	if err := search.below(t.Context(), few, nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(search.odd...); err == nil || !strings.Contains(err.Error(), "have more than") || len(search.found) > 10 {
		t.Errorf("over the limit: %d found, error %v", len(search.found), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := manifests(ctx, c, few); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of ctx: error %v", err)
	}
}

// heapInUse is what is reachable.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
