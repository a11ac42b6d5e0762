package inflate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// DefaultMaxBytes is more than any image that people run; a few KiB of zstd can
// inflate to more than any disk holds.
const DefaultMaxBytes = 128 << 30

// ErrLimit is what a stream ends with when its Quota is used up.
var ErrLimit = errors.New("over the limit")

// Quota counts inflated bytes, which may come from several layers at a time.
type Quota struct {
	max   int64
	bytes atomic.Int64
	over  atomic.Bool
}

// NewQuota is one of limit bytes; 0 is DefaultMaxBytes.
func NewQuota(limit int64) *Quota {
	return &Quota{max: cmp.Or(limit, DefaultMaxBytes)}
}

// Limit gives a stream whose bytes are charged to the quota; beyond it, reading
// gives ErrLimit.
func (q *Quota) Limit(r io.Reader) io.Reader { return &limited{r, q} }

// limited is a stream whose bytes are charged to a quota.
type limited struct {
	r     io.Reader
	quota *Quota
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if over := l.quota.Add(int64(n)); over != nil {
		return 0, over
	}
	return n, err
}

// Add charges n bytes that no stream of the quota gives, as the holes of a sparse
// file are; beyond it, it gives ErrLimit. n may come out of a header: the sum
// does not wrap.
func (q *Quota) Add(n int64) error {
	if n > q.max || q.bytes.Add(n) > q.max {
		q.over.Store(true)
	}
	if q.over.Load() {
		return fmt.Errorf("%w of %d inflated bytes", ErrLimit, q.max)
	}
	return nil
}
