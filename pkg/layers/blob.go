package layers

import (
	"cmp"
	"context"
	_ "crypto/sha256" // go-digest knows the algorithms whose packages are linked
	_ "crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// maxInPlace is how many blobs are kept open for bodies, the largest ones: a
// process has to do with 64 descriptors.
const maxInPlace = 16

// indexAll reads the layers side by side, the largest first, so that a large one
// does not begin when the others are done. Also after an error, the caller
// closes the blobs of what it gives.
func indexAll(ctx context.Context, layers []Layer, workers int, q *quota, sp *spool) ([]*index, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	indexes := make([]*index, len(layers))
	queue := make(chan int, len(layers))
	for rank, i := range bySize(layers) {
		indexes[i] = newIndex(uint32(i), q)
		indexes[i].format = layertype.FormatOf(layers[i].Descriptor.MediaType)
		indexes[i].inPlace = layers[i].InPlace && rank < maxInPlace
		queue <- i
	}
	close(queue)
	var wg sync.WaitGroup
	for range min(cmp.Or(workers, runtime.GOMAXPROCS(0)), len(layers)) {
		wg.Go(func() {
			for i := range queue {
				if ctx.Err() != nil {
					return
				}
				if err := readLayer(ctx, layers[i], indexes[i], sp); err != nil {
					cancel(layers[i].named(i+1, len(layers), err)) // only the first one counts
					return
				}
			}
		})
	}
	wg.Wait()
	return indexes, context.Cause(ctx)
}

func bySize(layers []Layer) []int {
	order := make([]int, len(layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(layers[b].Descriptor.Size, layers[a].Descriptor.Size)
	})
	return order
}

// readLayer fills x from a layer's blob, which is closed unless x reads bodies
// there.
func readLayer(ctx context.Context, l Layer, x *index, sp *spool) error {
	blob, err := l.Open(ctx)
	if err != nil {
		return fmt.Errorf("opening the blob: %w", err)
	}
	if err := readBlob(ctx, l, blob, x, sp); err != nil {
		return errors.Join(err, blob.Close())
	}
	if x.inPlace {
		x.blob = blob
		return nil
	}
	return blob.Close()
}

// readBlob indexes and verifies a blob. It spools the content where x cannot
// read bodies in the blob.
func readBlob(ctx context.Context, l Layer, blob Blob, x *index, sp *spool) error {
	if blob.Size() != l.Descriptor.Size {
		return fmt.Errorf("%w: the blob has %d bytes, its descriptor says %d", ErrMismatch, blob.Size(), l.Descriptor.Size)
	}
	raw, err := newDigester(l.Descriptor.Digest)
	if err != nil {
		return err
	}
	content, err := newDigester(l.DiffID)
	if err != nil {
		return err
	}
	stream := newBlobStream(io.TeeReader(io.NewSectionReader(blob, 0, blob.Size()), raw), &x.quota.wide)
	defer func() { _ = stream.tar.Close() }() // it was only read
	var check layertype.TarCheck
	s := &tarStream{quota: x.quota, sinks: []io.Writer{content, &check}}
	x.source = blob
	if stream.tar.Compressed() || !x.inPlace {
		tar := &part{spool: sp}
		x.inPlace, x.source = false, tar
		s.sinks = append(s.sinks, countingWriter{tar, &x.quota.spooled})
	}
	err = readStream(ctx, s, stream, x)
	if x.format == layertype.Tar {
		err = check.Explain(l.Descriptor.MediaType, err)
	}
	x.size = s.total
	if !s.ended {
		return err // cancelled, over a limit or out of room: digests say nothing
	}
	if mismatch := raw.verify("blob"); mismatch != nil {
		return because(mismatch, err)
	}
	if errors.Is(s.err, io.EOF) {
		if mismatch := content.verify("content"); mismatch != nil {
			return because(mismatch, err)
		}
	}
	if err == nil && x.format == layertype.EROFS {
		if err = indexErofs(ctx, x); err != nil {
			return fmt.Errorf("reading it as its media type %q says: %w", l.Descriptor.MediaType, err)
		}
	}
	return err
}

// readStream reads a layer and indexes what is a tar. When it returns, nothing
// reads the blob.
func readStream(ctx context.Context, s *tarStream, stream *blobStream, x *index) (err error) {
	s.from = startInflater(ctx, stream)
	defer s.from.close()
	if x.format == layertype.Tar {
		err = indexTar(ctx, s, x)
	}
	if limit := (*LimitError)(nil); errors.As(err, &limit) {
		return err // there may be no end
	}
	// A broken tar is read to its end, too: what its digest says comes first.
	if drainErr := s.drain(); drainErr != nil {
		return drainErr
	}
	return err
}

// because adds what a mismatch led to.
func because(mismatch, err error) error {
	if err == nil {
		return mismatch
	}
	return fmt.Errorf("%w (%w)", mismatch, err)
}

// digester compares what is written to it with a digest.
type digester struct {
	hash.Hash
	want digest.Digest
}

// newDigester fails where want is malformed or of an unknown algorithm.
func newDigester(want digest.Digest) (*digester, error) {
	if err := want.Validate(); err != nil {
		return nil, fmt.Errorf("digest %q: %w", want, err)
	}
	return &digester{want.Algorithm().Hash(), want}, nil
}

// verify says of what the digest is not the wanted one.
func (d *digester) verify(what string) error {
	if got := digest.NewDigest(d.want.Algorithm(), d.Hash); got != d.want {
		return fmt.Errorf("%w: the digest of its %s is %s", ErrMismatch, what, got)
	}
	return nil
}

// countingWriter adds what it writes to a total.
type countingWriter struct {
	io.Writer
	total *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.total.Add(int64(n))
	return n, err
}
