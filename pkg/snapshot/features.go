package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/plugins"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// featureLayers are the layers for which an image needs a feature of the operating
// system (image-spec, image-index.md, "os.features").
var featureLayers = map[string]string{"erofs": images.MediaTypeErofsLayer}

// layerFeatures lists the features that reading an image by its layers does without:
// those layers are read here.
func layerFeatures() (all []string) {
	for feature, mediaType := range featureLayers {
		if layertype.Check([]ispec.Descriptor{{MediaType: mediaType}}, layertype.Merging) == nil {
			all = append(all, feature)
		}
	}
	return all
}

// FeatureError says that an image needs features of the operating system to be
// unpacked, which the snapshotter does not have.
type FeatureError struct {
	Image, Platform, Snapshotter string
	// Others are snapshotters of the store that have them.
	Others []string
	// ByLayers says that pkg/layers can read the layers, which takes no unpacking.
	ByLayers bool
}

func (e *FeatureError) Error() string {
	return fmt.Sprintf("unpacking image %q for snapshotter %q: the snapshotter does not support %s", e.Image, e.Snapshotter, e.Platform)
}

// featuresOf lists the features of the operating system that each of the store's
// snapshotters has. Only containerd 2.4 and newer have snapshotters with any.
func featuresOf(ctx context.Context, sess *session) (map[string][]string, error) {
	resp, err := sess.client.IntrospectionService().Plugins(ctx, "type=="+string(plugins.SnapshotPlugin))
	if err != nil {
		return nil, fmt.Errorf("listing snapshotters: %w", err)
	}
	features := make(map[string][]string)
	for _, p := range resp.Plugins {
		for _, platform := range p.Platforms {
			if p.InitErr == nil {
				features[p.ID] = append(features[p.ID], platform.OSFeatures...)
			}
		}
	}
	return features, nil
}

// checkFeatures is a FeatureError where the snapshotter does not have what the image
// needs: containerd would unpack its layers as something else. What the images of
// another system need is not a matter of unpacking.
func checkFeatures(ctx context.Context, sess *session, image *Image, snapshotter string) error {
	needs := image.Platform.OSFeatures
	if len(needs) == 0 || image.Platform.OS != "linux" {
		return nil
	}
	features, err := featuresOf(ctx, sess)
	if err != nil || includes(features[snapshotter], needs) {
		return err
	}
	failure := &FeatureError{
		Image: image.Name, Platform: image.PlatformText(), Snapshotter: snapshotter,
		ByLayers: layertype.Check(image.Layers, layertype.Merging) == nil,
	}
	for name, has := range features {
		if includes(has, needs) {
			failure.Others = append(failure.Others, name)
		}
	}
	slices.Sort(failure.Others)
	return failure
}

// readingAny also takes what needs features that any way of reading an image has, so
// that each way finds the same image. What its own way lacks it finds out later, and
// says which way to take.
func readingAny(ctx context.Context, sess *session, want wanted) (wanted, error) {
	bySnapshotter, err := featuresOf(ctx, sess)
	all := layerFeatures()
	for _, features := range bySnapshotter {
		all = append(all, features...)
	}
	return want.Reading(all), err
}

func includes(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
