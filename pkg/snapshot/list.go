package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// LayerState says where an image's layers are.
type LayerState string

// The values of LayerState. Kept ones are in the content store. Discarded ones are
// not, but were unpacked before; missing ones would have to be pulled.
const (
	LayersKept      LayerState = "kept"
	LayersDiscarded LayerState = "discarded"
	LayersMissing   LayerState = "missing"
)

// ImageInfo is one platform of a named image of the store.
type ImageInfo struct {
	Name     string        `json:"name"`
	Digest   digest.Digest `json:"digest"`
	Platform string        `json:"platform"`
	// Unpacked lists the snapshotters that have the image's layers.
	Unpacked []string   `json:"unpacked"`
	Layers   LayerState `json:"layers"`
}

// Images lists what can be exported: every platform of every image of the
// store whose manifest and config are there, sorted by name. An image that cannot
// be read is an error beside the others; what is no image is left out.
func (s *Store) Images(ctx context.Context) ([]ImageInfo, error) {
	var all []ImageInfo
	err := s.with(ctx, func(ctx context.Context, sess *session) (err error) {
		all, err = list(ctx, sess)
		return err
	})
	slices.SortStableFunc(all, func(a, b ImageInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

func list(ctx context.Context, sess *session) ([]ImageInfo, error) {
	have, err := snapshotters(ctx, sess)
	if err != nil {
		return nil, err
	}
	records, err := sess.client.ImageService().List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	var all []ImageInfo
	var odd []error
	for _, record := range records {
		found, unread, err := platformsOf(ctx, sess, record, have)
		if err != nil {
			return nil, fmt.Errorf("reading image %q: %w", record.Name, err)
		}
		if unread != nil {
			odd = append(odd, fmt.Errorf("reading image %q: %w", record.Name, unread))
		}
		all = append(all, found...)
	}
	return all, errors.Join(odd...)
}

// platformsOf describes the platforms of an image that were pulled; have are
// the store's snapshotters. odd says what is wrong with the image alone.
func platformsOf(ctx context.Context, sess *session, record images.Image, have []string) (infos []ImageInfo, odd, err error) {
	blobs := sess.client.ContentStore()
	search, err := manifests(ctx, blobs, record.Target)
	if err != nil {
		return nil, nil, err
	}
	if len(search.found) > 0 {
		search.odd = nil // it matters only where nothing else is there
	}
	seen := make(map[string]bool) // an index may list a manifest twice
	for _, m := range search.found {
		row := m.desc.Digest.String() + document.Format(*m.desc.Platform)
		if seen[row] {
			continue
		}
		seen[row] = true
		image, err := load(ctx, blobs, record.Name, m.desc)
		if err != nil {
			if err := search.keep(ctx, err); err != nil {
				return nil, nil, err
			}
			continue
		}
		info, err := infoOf(ctx, sess, image, have)
		if err != nil {
			return nil, nil, err
		}
		info.Digest = record.Target.Digest
		infos = append(infos, info)
	}
	for _, err := range search.odd {
		odd = errors.Join(odd, ignoreNotFound(err)) // a platform that was not pulled
	}
	return infos, odd, nil
}

// infoOf says where an image's layers are.
func infoOf(ctx context.Context, sess *session, image *Image, have []string) (info ImageInfo, err error) {
	info.Name, info.Platform = image.Name, image.PlatformText()
	if info.Unpacked, err = unpackedIn(ctx, sess, image, have); err != nil {
		return info, err
	}
	missing, err := firstMissing(ctx, sess.client.ContentStore(), image.Layers)
	switch {
	case err != nil:
		return info, err
	case missing == nil:
		info.Layers = LayersKept
	case len(info.Unpacked) > 0:
		info.Layers = LayersDiscarded
	default:
		info.Layers = LayersMissing
	}
	return info, nil
}

// unpackedIn lists the snapshotters that have the image's whole chain.
func unpackedIn(ctx context.Context, sess *session, image *Image, have []string) ([]string, error) {
	in := []string{}
	for _, name := range have {
		if len(image.Config.RootFS.DiffIDs) > 0 {
			_, err := sess.client.SnapshotService(name).Stat(ctx, image.ChainID().String())
			if errdefs.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("looking for the layers in snapshotter %q: %w", name, err)
			}
		}
		in = append(in, name)
	}
	return in, nil
}

// firstMissing gives the first of layers that neither the content store has nor
// the manifest itself, nil where there is none.
func firstMissing(ctx context.Context, store content.Store, layers []ispec.Descriptor) (*ispec.Descriptor, error) {
	for _, layer := range layers {
		if layer.Data != nil {
			continue // the manifest has it
		}
		_, err := store.Info(ctx, layer.Digest)
		if errdefs.IsNotFound(err) {
			return &layer, nil
		}
		if err != nil {
			return nil, fmt.Errorf("looking for layer %s: %w", layer.Digest, err)
		}
	}
	return nil, nil
}

func ignoreNotFound(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}
