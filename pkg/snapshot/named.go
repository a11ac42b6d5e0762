package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/registry"
)

// Pull says when an image is fetched from its registry.
type Pull string

// The values of Pull. The zero value is PullMissing.
const (
	PullMissing Pull = "missing"
	PullAlways  Pull = "always"
	PullNever   Pull = "never"
)

// named finds an image by its name in the store and pulls it where the policy
// says so.
func (s *Store) named(ctx context.Context, sess *session, req Request, want wanted) (*Image, error) {
	badName := req.Source.CheckName()
	if req.Pull == PullAlways {
		if badName != nil {
			return nil, badName
		}
		return s.pull(ctx, sess, req, want)
	}
	image, err := stored(ctx, sess, req.Source, want)
	if err == nil || !errdefs.IsNotFound(err) {
		return image, err
	}
	if errors.Is(err, errNoName) {
		if err := s.elsewhere(ctx, sess, req.Source); err != nil {
			return nil, err
		}
	}
	store := s.opts.Location.String()
	var name *NameError
	switch {
	case errors.As(badName, &name) && errors.Is(err, errNoName):
		name.Store = store
		return nil, name
	case errors.As(err, &name):
		return nil, &IncompleteError{Image: name.Name, Store: store, Err: err}
	case req.Pull == PullNever && !errors.Is(err, errNoName):
		return nil, &IncompleteError{Image: req.Source.Name, Store: store, Err: err}
	case req.Pull == PullNever:
		return nil, &MissingError{Image: req.Source.Name, Store: store}
	}
	return s.pull(ctx, sess, req, want)
}

// errNoName tells a name that the store does not have from a platform whose
// content it does not have.
var errNoName = fmt.Errorf("image %w", errdefs.ErrNotFound)

// stored finds an image that is in the store with the content of its
// manifest and config; an error that is errdefs.ErrNotFound says that a pull
// may help, unless it is a NameError, too.
func stored(ctx context.Context, sess *session, src Source, want wanted) (*Image, error) {
	record, err := lookUp(ctx, sess.client.ImageService(), src)
	if err != nil {
		return nil, err
	}
	image, err := choose(ctx, sess.client.ContentStore(), record.Name, []ispec.Descriptor{record.Target}, want)
	if errdefs.IsNotFound(err) {
		// A pull by another name than the record's might bring another image.
		if bad := (Source{Kind: ImageName, Name: record.Name}).CheckName(); bad != nil {
			err = fmt.Errorf("%w; %w", err, bad)
		}
	}
	if err != nil {
		return nil, err
	}
	image.Target = record.Target
	return image, nil
}

// lookUp tries the name as it was typed, then the normalised one, then what the
// repository has under tags, if the name has a digest.
func lookUp(ctx context.Context, store images.Store, src Source) (images.Image, error) {
	for _, name := range slices.Compact([]string{src.Typed, src.Name}) {
		record, err := store.Get(ctx, name)
		if err == nil {
			return record, nil
		}
		if !errdefs.IsNotFound(err) {
			return images.Image{}, fmt.Errorf("finding image %q: %w", name, err)
		}
	}
	return byDigest(ctx, store, src.Name)
}

// byDigest finds an image by the digest of its name where the store has it
// under a tag of the same repository.
func byDigest(ctx context.Context, store images.Store, name string) (images.Image, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return images.Image{}, errNoName // a name of "ctr images tag" may be anything
	}
	digested, is := named.(reference.Digested)
	if !is {
		return images.Image{}, errNoName
	}
	records, err := store.List(ctx, "target.digest=="+digested.Digest().String())
	if err != nil {
		return images.Image{}, fmt.Errorf("finding image %q: %w", name, err)
	}
	for _, record := range records {
		other, err := reference.ParseNormalizedNamed(record.Name)
		if err == nil && other.Name() == named.Name() {
			return record, nil
		}
	}
	return images.Image{}, errNoName
}

// elsewhere is a NamespaceError where another namespace has the image.
func (s *Store) elsewhere(ctx context.Context, sess *session, src Source) error {
	name := src.Name
	others, err := s.otherNamespaces(ctx, sess, func(ctx context.Context) (bool, error) {
		record, err := lookUp(ctx, sess.client.ImageService(), src)
		if err == nil {
			name = record.Name
		}
		return err == nil, ignoreNotFound(err)
	})
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return &NamespaceError{Image: name, Namespace: s.opts.Namespace, Others: others}
	}
	return nil
}

// pull fetches the image into the store, unpacking each layer beside the
// download of the next unless the layers alone are wanted. The name is given
// last: a pull that fails leaves none. The documents come before the layers,
// so that nothing is fetched of an image that does not have the platform, or
// whose documents are not what they are said to be.
func (s *Store) pull(ctx context.Context, sess *session, req Request, want wanted) (*Image, error) {
	if req.documents {
		image, _, err := s.fetchDocuments(ctx, sess, req, want)
		return image, err
	}
	snapshotter := ""
	if req.Via != ViaLayers {
		var err error
		if snapshotter, err = s.snapshotter(ctx, sess); err != nil {
			return nil, err
		}
	}
	image, remote, err := s.fetchDocuments(ctx, sess, req, want)
	if err != nil {
		return nil, err
	}
	if snapshotter == "" {
		err = image.checkLayers(layertype.Merging)
	} else {
		err = s.checkUnpacking(ctx, sess, image, snapshotter)
	}
	if err != nil {
		return nil, err
	}
	s.opts.Notify(fmt.Sprintf("pulling %s for %s into %s", req.Source.Name, document.Format(image.Platform), s.opts.Location))
	options := []containerd.RemoteOpt{
		containerd.WithResolver(remote),
		containerd.WithPlatformMatcher(sameFirst(document.Format(image.Platform))),
		containerd.WithImageHandlerWrapper(func(next images.Handler) images.Handler { return fewAtOnce(along(image.path, next)) }),
	}
	if snapshotter != "" {
		options = append(options, containerd.WithPullUnpack, containerd.WithPullSnapshotter(snapshotter))
	}
	stop := s.watch(ctx, sess, image, snapshotter)
	defer stop()
	_, err = sess.client.Pull(ctx, req.Source.Name, options...)
	if isUnpacking(err) {
		err = &UnpackError{Image: req.Source.Name, Snapshotter: snapshotter, Err: image.unknown(err)}
	} else if err != nil {
		err = &PullError{Image: req.Source.Name, Err: err}
	}
	if err != nil {
		return nil, failed(ctx, remote, sess.client.ContentStore(), err)
	}
	// The name is not asked again: somebody may have removed it already.
	return image, nil
}

// fetchDocuments fetches an image's manifest and config into the store, and
// gives its registry beside.
func (s *Store) fetchDocuments(ctx context.Context, sess *session, req Request, want wanted) (*Image, *registry.Remote, error) {
	store := sess.client.ContentStore()
	remote := registry.Config(req.Registry).Remote(ctx, s.opts.Notify)
	target, err := remote.Documents(ctx, store, req.Source.Name, orUnnamed{want})
	if err != nil {
		return nil, nil, failed(ctx, remote, store, &PullError{Image: req.Source.Name, Err: err})
	}
	image, err := choose(ctx, store, req.Source.Name, []ispec.Descriptor{target}, want)
	if err != nil {
		return nil, nil, err
	}
	image.Target = target
	return image, remote, nil
}

// failed tidies up after a pull and gives its error, or the reason for which
// ctx ended.
func failed(ctx context.Context, remote *registry.Remote, store content.Store, err error) error {
	if ended(ctx, err) {
		return context.Cause(ctx)
	}
	if tidying := remote.DiscardDamaged(ctx, store); tidying != nil {
		return errors.Join(err, tidying)
	}
	return err
}
