package layers

import (
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/spoolfile"
)

// spool is one file for the tars of all layers that are not read in place: an
// image may have more layers than a process may have descriptors.
//
// Layers write to it side by side, chunk by chunk, each chunk at a place of its
// own; see part.
type spool struct {
	dir  string
	once sync.Once
	file *spoolfile.File
	err  error
	next atomic.Int64
}

// newSpool prepares a spool in dir, which is os.TempDir() where empty. The file
// is made when it is needed.
func newSpool(dir string) *spool {
	if dir == "" {
		dir = os.TempDir()
	}
	return &spool{dir: dir}
}

func (s *spool) open() error {
	s.once.Do(func() { s.file, s.err = spoolfile.Open(s.dir) })
	if s.err != nil {
		return s.failed(s.err)
	}
	return nil
}

// failed names the folder, and not the file, which has no name that counts.
func (s *spool) failed(err error) error {
	return &SpoolError{Dir: s.dir, Err: hostfile.WithoutPath(err)}
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// part is one layer's tar in a spool: it is written in chunks of chunkSize, of
// which only the last is shorter, and then read at any offset.
type part struct {
	spool  *spool
	places []int64
	size   int64
}

// Write adds a chunk.
func (p *part) Write(chunk []byte) (int, error) {
	if len(chunk) == 0 {
		return 0, nil
	}
	if err := p.spool.open(); err != nil {
		return 0, err
	}
	at := p.spool.next.Add(chunkSize) - chunkSize
	n, err := p.spool.file.WriteAt(chunk, at)
	if err != nil {
		return n, p.spool.failed(err)
	}
	p.places = append(p.places, at)
	p.size += int64(n)
	return n, nil
}

// ReadAt is io.ReaderAt's.
func (p *part) ReadAt(b []byte, offset int64) (n int, err error) {
	for n < len(b) {
		if offset >= p.size {
			return n, io.EOF
		}
		within := offset % chunkSize
		want := min(int64(len(b)-n), chunkSize-within, p.size-offset)
		got, err := p.spool.file.ReadAt(b[n:n+int(want)], p.places[offset/chunkSize]+within)
		n, offset = n+got, offset+int64(got)
		if err != nil {
			return n, p.spool.failed(err)
		}
	}
	return n, nil
}
