package document

import (
	"bytes"
	"context"
	_ "crypto/sha256" // go-digest knows the algorithms that are linked in
	_ "crypto/sha512"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxBytes bounds an index, a manifest or a config: registries refuse manifests
// over 4 MiB, and the largest configs seen are far below that.
const MaxBytes = 16 << 20

// Check says what is wrong with a descriptor by itself: a digest that is none, or of
// an algorithm that is not known, a size below zero, or embedded data that has
// another digest or size (image-spec, descriptor.md, "data").
func Check(desc ispec.Descriptor) error {
	if err := desc.Digest.Validate(); err != nil {
		return fmt.Errorf("digest %q: %w", desc.Digest, err)
	}
	switch {
	case desc.Size < 0:
		return fmt.Errorf("its size is said to be %d", desc.Size)
	case desc.Data == nil:
		return nil
	case int64(len(desc.Data)) != desc.Size:
		return fmt.Errorf("its descriptor embeds %d bytes and says %d", len(desc.Data), desc.Size)
	}
	if got := desc.Digest.Algorithm().FromBytes(desc.Data); got != desc.Digest {
		return fmt.Errorf("its descriptor embeds data with the digest %s", got)
	}
	return nil
}

// Open opens the blob that desc describes: the data that the descriptor embeds, else
// what blobs has. A descriptor that does not pass Check, and a blob of another size,
// is an error. The digest of what blobs has is not verified. The caller closes it.
func Open(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) (content.ReaderAt, error) {
	if err := Check(desc); err != nil {
		return nil, err
	}
	if desc.Data != nil {
		return embedded{bytes.NewReader(desc.Data)}, nil
	}
	blob, err := blobs.ReaderAt(ctx, desc)
	if err != nil {
		return nil, err
	}
	if blob.Size() != desc.Size {
		return nil, errors.Join(fmt.Errorf("it has %d bytes, its descriptor says %d", blob.Size(), desc.Size), blob.Close())
	}
	return blob, nil
}

// embedded is the data of a descriptor as a blob.
type embedded struct{ *bytes.Reader }

func (embedded) Close() error { return nil }

// read gives a document whole, with the digest that desc says: it may come from a
// directory that nobody has verified.
func read(ctx context.Context, blobs content.Provider, desc ispec.Descriptor) (data []byte, err error) {
	if err := CheckSize(desc); err != nil {
		return nil, err
	}
	blob, err := Open(ctx, blobs, desc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	data = make([]byte, blob.Size())
	if n, err := blob.ReadAt(data, 0); n < len(data) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if got := desc.Digest.Algorithm().FromBytes(data); got != desc.Digest {
		return nil, fmt.Errorf("its digest is %s", got)
	}
	return data, nil
}

// CheckSize is Check of a document, which has a limit.
func CheckSize(desc ispec.Descriptor) error {
	if desc.Size > MaxBytes {
		return fmt.Errorf("%d bytes are more than the %d that such a document may have", desc.Size, MaxBytes)
	}
	return Check(desc)
}
