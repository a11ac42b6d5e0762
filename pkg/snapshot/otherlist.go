package snapshot

import (
	"context"
	"errors"
	"fmt"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
)

// OtherListError says that what an archive's index.json or manifest.json does not
// give, as Err says, List gives: the other one of the two, which Other reads.
type OtherListError struct {
	Other Source
	List  string
	Err   error
}

func (e *OtherListError) Error() string { return e.Err.Error() }

func (e *OtherListError) Unwrap() error { return e.Err }

// fewerError says that an archive's list of images, of which none was asked for, has
// fewer than the other one.
type fewerError struct {
	path        string
	list, other archive.Document
	beyond      []string
}

func (e *fewerError) Error() string {
	return fmt.Sprintf("choosing an image of %q: its %s lists more than its %s: %s", e.path, e.other, e.list, listed(e.beyond))
}

func (e *fewerError) Unwrap() error { return ErrNotFound }

// chosenOrOther is chosen. Where the list that src means does not give the image, and
// the archive's other one does, the error is an OtherListError.
func chosenOrOther(ctx context.Context, c collection, src Source, want wanted) (*Image, error) {
	image, err := chosen(ctx, c, src, want)
	tar, isTar := c.(*archive.Tar)
	if err == nil || ctx.Err() != nil || !isTar {
		return image, err
	}
	other := tar.Other()
	if other == nil {
		return nil, err
	}
	elsewhere := src
	elsewhere.Kind = OCIArchive
	if src.Kind == OCIArchive {
		elsewhere.Kind = DockerArchive
	}
	var fewer *fewerError
	var cut *CutError
	if (tar.Has() || errors.As(err, &cut)) && !errors.As(err, &fewer) {
		if _, otherErr := chosen(ctx, other, elsewhere, want); otherErr != nil {
			return nil, err
		}
	}
	return nil, &OtherListError{Other: elsewhere, List: string(other.Document()), Err: err}
}

// checkOtherList fails where src names none of an archive's images, and its other
// list has more of them than index: one would be taken for all.
func checkOtherList(c collection, src Source, index ispec.Index) error {
	tar, isTar := c.(*archive.Tar)
	if src.Ref != "" || !isTar || tar.Other() == nil {
		return nil
	}
	other := tar.Other()
	names, err := other.Names()
	if err != nil {
		return nil //nolint:nilerr // a list that nobody asked for may be damaged
	}
	if beyond := archive.Beyond(index, names); len(beyond) > 0 {
		return &fewerError{src.Name, tar.Document(), other.Document(), beyond}
	}
	return nil
}
