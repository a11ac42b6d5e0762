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
)

// source is where the bodies of a layer are read: its spool, or its blob.
type source struct {
	io.ReaderAt
	io.Closer
	size int64
}

// closeSources gives back what layers hold that were read before an error.
func closeSources(indexes []*index) error {
	var errs []error
	for _, x := range indexes {
		if x != nil && x.source.Closer != nil {
			errs = append(errs, x.source.Close())
		}
	}
	return errors.Join(errs...)
}

// indexAll reads the layers side by side, the largest first, so that a large one
// does not begin when the others are done. Also after an error, the caller
// closes the sources of what it gives.
func indexAll(ctx context.Context, layers []Layer, o Options, q *quota) ([]*index, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	indexes := make([]*index, len(layers))
	queue := make(chan int, len(layers))
	for _, i := range bySize(layers) {
		queue <- i
	}
	close(queue)
	workers := cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for range min(workers, len(layers)) {
		wg.Go(func() {
			for i := range queue {
				if ctx.Err() != nil {
					return
				}
				indexes[i] = newIndex(uint32(i), q)
				if err := readLayer(ctx, layers[i], indexes[i], o); err != nil {
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
// there. x holds its source also after an error.
func readLayer(ctx context.Context, l Layer, x *index, o Options) error {
	blob, err := l.Open(ctx)
	if err != nil {
		return fmt.Errorf("opening the blob: %w", err)
	}
	if err := readBlob(ctx, l, blob, x, o); err != nil {
		return errors.Join(err, blob.Close())
	}
	if x.source.Closer == nil {
		x.source = source{blob, blob, blob.Size()}
		return nil
	}
	return blob.Close()
}

// readBlob gives x a spool as its source where the blob cannot be one.
func readBlob(ctx context.Context, l Layer, blob Blob, x *index, o Options) error {
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
	stream := newBlobStream(io.TeeReader(io.NewSectionReader(blob, 0, blob.Size()), raw))
	defer stream.close()
	s := &tarStream{ctx: ctx, quota: x.quota, sinks: []io.Writer{content}}
	if stream.compressed() || !l.InPlace {
		spool, err := newSpool(o.SpoolDir)
		if err != nil {
			return err
		}
		x.source = source{spool, spool, 0}
		s.sinks = append(s.sinks, countingWriter{spool, &x.quota.spooled})
	}
	err = readStream(s, stream, x)
	x.source.size = s.total
	if !s.ended {
		return err // cancelled, over a limit or out of room: digests say nothing
	}
	if mismatch := raw.verify("blob"); mismatch != nil {
		return because(mismatch, err)
	}
	if s.err == io.EOF {
		if mismatch := content.verify("content"); mismatch != nil {
			return because(mismatch, err)
		}
	}
	return err
}

// readStream indexes a layer's tar. When it returns, nothing reads the blob.
func readStream(s *tarStream, stream *blobStream, x *index) error {
	s.from = startInflater(s.ctx, stream)
	defer s.from.close()
	err := indexTar(s, x)
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
