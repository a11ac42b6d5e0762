package snapshot

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/rootfs"
)

// differ applies layers in an embedded store, whose snapshots are directories
// of this host: each is written where it lies. containerd's own differ mounts
// an image's first layer below the host's temporary directory for that, which
// a killed process would leave behind.
type differ struct {
	store content.Provider
	quota *inflate.Quota
}

// Apply unpacks the layer desc into the snapshot of mounts, and gives the size
// and digest of the tar that was in it. The layer's media type was checked
// before; what is not a tar is a *layertype.ContentError.
func (d differ) Apply(ctx context.Context, desc ispec.Descriptor, mounts []mount.Mount, _ ...diff.ApplyOpt) (ispec.Descriptor, error) {
	dir, options, err := inPlaceOf(mounts)
	if err != nil {
		return ispec.Descriptor{}, err
	}
	ra, err := d.store.ReaderAt(ctx, desc)
	if err != nil {
		return ispec.Descriptor{}, fmt.Errorf("opening layer %s: %w", desc.Digest, err)
	}
	defer ra.Close()
	layer, err := inflate.NewReader(content.NewReader(ra), inflate.Options{})
	if err != nil {
		return ispec.Descriptor{}, fmt.Errorf("decompressing layer %s: %w", desc.Digest, err)
	}
	defer func() { _ = layer.Close() }() // it was only read
	inflated := inflate.Ahead(d.quota.Limit(layer))
	defer func() { _ = inflated.Close() }()
	digester := digest.Canonical.Digester()
	var check layertype.TarCheck
	content := &counted{r: io.TeeReader(inflated, io.MultiWriter(digester.Hash(), &check))}
	_, err = archive.Apply(ctx, dir, content, options...)
	if err == nil {
		// A diff ID covers what follows the end of the archive, too.
		_, err = io.Copy(io.Discard, content)
	}
	if err := check.Explain(desc.MediaType, refusedBy(dir, content, err)); err != nil {
		return ispec.Descriptor{}, fmt.Errorf("unpacking layer %s: %w", desc.Digest, err)
	}
	return ispec.Descriptor{MediaType: ispec.MediaTypeImageLayer, Size: content.n, Digest: digester.Digest()}, nil
}

// Compare makes a layer; nothing here ever does.
func (differ) Compare(context.Context, []mount.Mount, []mount.Mount, ...diff.Opt) (ispec.Descriptor, error) {
	return ispec.Descriptor{}, errdefs.ErrNotImplemented
}

// inPlaceOf gives the directory into which a layer is unpacked, and how: above
// other layers a whiteout becomes overlayfs's, and directories that the layer
// does not name take after those below.
func inPlaceOf(mounts []mount.Mount) (string, []archive.ApplyOpt, error) {
	if len(mounts) != 1 {
		return "", nil, fmt.Errorf("unpacking into %d mounts, wanted one", len(mounts))
	}
	m := mounts[0]
	if m.Type == "bind" {
		return m.Source, nil, nil
	}
	var upper string
	options := []archive.ApplyOpt{archive.WithConvertWhiteout(archive.OverlayConvertWhiteout)}
	for _, option := range m.Options {
		if value, ok := strings.CutPrefix(option, "upperdir="); ok {
			upper = value
		} else if value, ok := strings.CutPrefix(option, "lowerdir="); ok {
			options = append(options, archive.WithParents(rootfs.SplitLayers(value)))
		}
	}
	if m.Type != "overlay" || upper == "" {
		return "", nil, fmt.Errorf("unpacking into a mount of type %q: it has no directory of its own", m.Type)
	}
	return upper, options, nil
}

// refusedBy says of an error of unpacking into dir whether it is the layer's, or
// the filesystem's: overlayfs lets nobody but itself make whiteouts, and the root
// of a container is an overlay.
func refusedBy(dir string, layer *counted, err error) error {
	var fs unix.Statfs_t
	switch {
	case err == nil:
		return nil
	case layer.err != nil, errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrLayerUnread, err)
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EOPNOTSUPP), unix.Statfs(dir, &fs) != nil:
		return err
	case fs.Type == unix.OVERLAYFS_SUPER_MAGIC:
		return fmt.Errorf("%w: %w", ErrOnOverlay, err)
	}
	return err
}

// counted counts what was read, and keeps why no more can be read.
type counted struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}
