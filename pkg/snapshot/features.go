package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/platforms"
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
// unpacked, which the snapshotter does not have, or not for the image's platform.
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

// supported lists the platforms whose images each of the store's snapshotters can
// hold. Only containerd 2.4 and newer have snapshotters with features of the operating
// system there.
func supported(ctx context.Context, sess *session) (map[string][]ispec.Platform, error) {
	resp, err := sess.client.IntrospectionService().Plugins(ctx, "type=="+string(plugins.SnapshotPlugin))
	if err != nil {
		return nil, fmt.Errorf("listing snapshotters: %w", err)
	}
	all := make(map[string][]ispec.Platform)
	for _, p := range resp.Plugins {
		if p.InitErr == nil {
			all[p.ID] = types.OCIPlatformFromProto(p.Platforms)
		}
	}
	return all, nil
}

// checkFeatures is a FeatureError where the snapshotter does not support what the image
// needs: containerd would unpack its layers as something else, or refuse to. What the
// images of another system need is not a matter of unpacking.
func checkFeatures(ctx context.Context, sess *session, image *Image, snapshotter string) error {
	if len(image.Platform.OSFeatures) == 0 || image.Platform.OS != "linux" {
		return nil
	}
	all, err := supported(ctx, sess)
	if err != nil || platforms.Any(all[snapshotter]...).Match(image.Platform) {
		return err
	}
	failure := &FeatureError{
		Image: image.Name, Platform: image.PlatformText(), Snapshotter: snapshotter,
		ByLayers: layertype.Check(image.Layers, layertype.Merging) == nil,
	}
	for name, those := range all {
		if platforms.Any(those...).Match(image.Platform) {
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
	bySnapshotter, err := supported(ctx, sess)
	all := layerFeatures()
	for _, those := range bySnapshotter {
		for _, p := range those {
			all = append(all, p.OSFeatures...)
		}
	}
	return want.Reading(all), err
}
