package snapshot

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// The stages of which a Step tells.
const (
	StageReading   = "reading"
	StagePulling   = "pulling"
	StageUnpacking = "unpacking"
)

// Step says how far a stage of the work is.
type Step struct {
	Stage string
	// Unit is what Done and Total count: "bytes" or "layers".
	Unit        string
	Done, Total int64 // Total is 0 where it is not known
}

// watchEvery is how often a store is asked how far it is.
const watchEvery = 200 * time.Millisecond

// watch tells, until stop is called, how far pulling and unpacking an image
// are: who does them, a daemon often, does not say.
func (s *Store) watch(ctx context.Context, sess *session, image *Image, snapshotter string) (stop func()) {
	if s.opts.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{sess: sess, image: image, snapshotter: snapshotter}
	var over sync.WaitGroup
	over.Go(func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.opts.Progress(w.step(ctx))
			}
		}
	})
	return func() {
		cancel()
		over.Wait()
	}
}

// watcher measures an image on its way into a snapshotter. What it cannot
// learn counts as not done: it is only looked at.
type watcher struct {
	sess        *session
	image       *Image
	snapshotter string // empty where nothing is unpacked
	unpacked    int    // layers, from the lowest
	fetched     int64  // bytes
}

func (w *watcher) step(ctx context.Context) Step {
	fetched, total := w.measure(ctx)
	// For a moment a download that ends is on its way no more, and not there yet.
	w.fetched = max(w.fetched, fetched)
	if w.fetched < total || w.snapshotter == "" {
		return Step{Stage: StagePulling, Unit: "bytes", Done: w.fetched, Total: total}
	}
	ids := w.image.Config.RootFS.DiffIDs
	for w.unpacked < len(ids) {
		chain := w.image.chainID(w.unpacked + 1).String()
		if _, err := w.sess.client.SnapshotService(w.snapshotter).Stat(ctx, chain); err != nil {
			break
		}
		w.unpacked++
	}
	return Step{Stage: StageUnpacking, Unit: "layers", Done: int64(w.unpacked), Total: int64(len(ids))}
}

// measure counts the bytes of layers that are in the store, or on their way.
func (w *watcher) measure(ctx context.Context) (done, total int64) {
	store := w.sess.client.ContentStore()
	coming := make(map[digest.Digest]int64)
	if statuses, err := store.ListStatuses(ctx); err == nil {
		for _, st := range statuses {
			// A store says the digest by the name of the download alone
			// ("layer-sha256:...").
			_, expected, _ := strings.Cut(st.Ref, "-")
			coming[digest.Digest(expected)] = st.Offset
		}
	}
	for _, layer := range w.image.Layers {
		total += layer.Size
		if _, err := store.Info(ctx, layer.Digest); err == nil {
			done += layer.Size
		} else {
			done += coming[layer.Digest]
		}
	}
	return done, total
}

// sizeOf is about how many bytes an image's files have: what its layers'
// snapshots use, without what later layers replace. A layer that cannot be
// measured counts nothing.
func sizeOf(ctx context.Context, sess *session, image *Image, snapshotter string) (size int64) {
	for i := range image.Config.RootFS.DiffIDs {
		chain := image.chainID(i + 1).String()
		if usage, err := sess.client.SnapshotService(snapshotter).Usage(ctx, chain); err == nil {
			size += usage.Size
		}
	}
	return size
}

// watchedReader tells how much of a file was read.
type watchedReader struct {
	r     io.Reader
	tell  func(Step)
	step  Step
	asked time.Time
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.step.Done += int64(n)
	if now := time.Now(); now.Sub(w.asked) >= watchEvery || err != nil {
		w.asked = now
		w.tell(w.step)
	}
	return n, err
}

// watchReading tells how much of r was read; total is 0 where it is not known.
func watchReading(r io.Reader, tell func(Step), total int64) io.Reader {
	if tell == nil {
		return r
	}
	return &watchedReader{r: r, tell: tell, step: Step{Stage: StageReading, Unit: "bytes", Total: total}}
}
