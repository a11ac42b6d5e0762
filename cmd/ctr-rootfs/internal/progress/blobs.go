package progress

import (
	"sync/atomic"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// Blobs tells how much of an image's layers was read.
type Blobs struct {
	tell  func(snapshot.Step)
	total int64
	done  atomic.Int64
}

// NewBlobs tells nobody where tell is nil.
func NewBlobs(layers []snapshot.Layer, tell func(snapshot.Step)) *Blobs {
	p := &Blobs{tell: tell}
	for _, l := range layers {
		p.total += l.Descriptor.Size
	}
	return p
}

// Watch counts what is read of a blob, until all of it was: what is read of it
// later are files.
func (p *Blobs) Watch(blob snapshot.Blob) snapshot.Blob {
	if p.tell == nil {
		return blob
	}
	return &watchedBlob{Blob: blob, progress: p}
}

type watchedBlob struct {
	snapshot.Blob
	progress *Blobs
}

func (b *watchedBlob) ReadAt(data []byte, at int64) (int, error) {
	n, err := b.Blob.ReadAt(data, at)
	p := b.progress
	if done := p.done.Add(int64(n)); done-int64(n) < p.total {
		p.tell(snapshot.Step{Stage: snapshot.StageReading, Unit: "bytes", Done: min(done, p.total), Total: p.total})
	}
	return n, err
}
