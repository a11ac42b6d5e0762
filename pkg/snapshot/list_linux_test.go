package snapshot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestImagesBesideOddOnes lists the images of a store that holds odd things, too:
// artifacts and what is not there are left out, and the rest are errors.
func TestImagesBesideOddOnes(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	const chart, layer = "application/x-chart", ispec.MediaTypeImageLayer
	for _, odd := range []struct{ name, config, configType, layerType string }{
		{"a/no-diff-ids", `{}`, ispec.MediaTypeImageConfig, layer},
		{"b/chart", `{}`, "application/x-config", chart},
		{"c/signature", `{"rootfs":{"diff_ids":["x"]}}`, ispec.MediaTypeImageConfig, chart},
		{"d/no-json", `text`, "application/x-config", layer},
		{"h/another-rootfs", `{"os":"linux","rootfs":{"type":"other","diff_ids":["x"]}}`, ispec.MediaTypeImageConfig, layer},
		{"z/no-config", `[]`, ispec.MediaTypeImageConfig, layer},
	} {
		made := documents{}
		manifest := `{"config":` + described(made.add(odd.configType, []byte(odd.config))) + `,"layers":[` + described(made.add(odd.layerType, []byte("a layer"))) + `]}`
		put(t, s, images.Image{Name: odd.name, Target: made.add(ispec.MediaTypeImageManifest, []byte(manifest))}, made)
	}
	absent := described(ispec.Descriptor{MediaType: ispec.MediaTypeImageManifest, Digest: digest.FromString("absent"), Size: 9})
	for name, list := range map[string]string{
		"e/absent": absent, "f/index": absent + strings.Repeat(`,`+manifestOf(t, s, storedName), 2), "g/mixed": absent + `,` + manifestOf(t, s, "a/no-diff-ids"),
	} {
		made := documents{}
		index := made.add(ispec.MediaTypeImageIndex, []byte(`{"manifests":[`+list+`]}`))
		put(t, s, images.Image{Name: name, Target: index}, made)
	}
	found, err := s.Images(t.Context())
	var names []string
	for _, image := range found {
		names = append(names, image.Name)
	}
	if want := []string{storedName, "f/index"}; !slices.Equal(names, want) {
		t.Errorf("it lists %q, want %q", names, want)
	}
	if err == nil {
		t.Fatal("it says nothing of the odd ones")
	}
	var of []string
	for _, line := range strings.Split(err.Error(), "\n") {
		before, _, _ := strings.Cut(line, ": ")
		of = append(of, before)
	}
	if want := []string{`reading image "a/no-diff-ids"`, `reading image "g/mixed"`, `reading image "h/another-rootfs"`, `reading image "z/no-config"`}; !slices.Equal(of, want) {
		t.Errorf("it says %v, want errors of %q", err, want)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	signal := errors.New("a signal")
	s.backend = spoiled{s.backend, func() { cancel(signal) }, nil}
	if found, err := s.Images(ctx); !errors.Is(err, signal) || found != nil {
		t.Errorf("after its end: %v, %v", found, err)
	}
}

// manifestOf describes the manifest of an image of s, as an index does.
func manifestOf(t *testing.T, s *Store, name string) (text string) {
	t.Helper()
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		record, err := sess.client.ImageService().Get(ctx, name)
		text = described(record.Target)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
