package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// putOdd puts a record of a manifest with that config and layer into s.
func putOdd(t *testing.T, s *Store, name, config, configType, layerType string) {
	t.Helper()
	made := documents{}
	listed := func(mediaType, data string) string {
		desc := made.add(mediaType, []byte(data))
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, desc.Digest, desc.Size)
	}
	manifest := `{"config":` + listed(configType, config) + `,"layers":[` + listed(layerType, name) + `]}`
	put(t, s, images.Image{Name: name, Target: made.add(ispec.MediaTypeImageManifest, []byte(manifest))}, made)
}

// TestImagesBesideOddOnes lists the images of a store that holds odd things, too:
// artifacts and what is not there are left out, and the rest are errors.
func TestImagesBesideOddOnes(t *testing.T) {
	needRoot(t)
	s := storeWithImage(t)
	const chart, layer = "application/x-chart", ispec.MediaTypeImageLayer
	putOdd(t, s, "a/no-diff-ids", `{}`, ispec.MediaTypeImageConfig, layer)
	putOdd(t, s, "b/chart", `{}`, "application/x-config", chart)
	putOdd(t, s, "c/signature", `{"rootfs":{"diff_ids":["x"]}}`, ispec.MediaTypeImageConfig, chart)
	putOdd(t, s, "d/no-json", `text`, "application/x-config", layer)
	putOdd(t, s, "z/no-config", `[]`, ispec.MediaTypeImageConfig, layer)
	absent := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":9}`, ispec.MediaTypeImageManifest, digest.FromString("absent"))
	for name, list := range map[string]string{"e/absent": absent, "f/index": absent + `,` + storedManifest(t, s)} {
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
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `reading image "a/no-diff-ids": `) || !strings.HasPrefix(lines[1], `reading image "z/no-config": `) {
		t.Errorf("it says %q", lines)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	signal := errors.New("a signal")
	s.backend = spoiled{s.backend, func() { cancel(signal) }, nil}
	if found, err := s.Images(ctx); !errors.Is(err, signal) || found != nil {
		t.Errorf("after its end: %v, %v", found, err)
	}
}

// storedManifest describes the manifest of s's image, as an index does.
func storedManifest(t *testing.T, s *Store) (text string) {
	t.Helper()
	err := s.with(t.Context(), func(ctx context.Context, sess *session) error {
		record, err := sess.client.ImageService().Get(ctx, storedName)
		text = fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, record.Target.MediaType, record.Target.Digest, record.Target.Size)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
