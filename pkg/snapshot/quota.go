package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// DefaultMaxBytes is more than any image that people run; a few KiB of zstd can
// inflate to more than any disk holds. pkg/layers has the same.
const DefaultMaxBytes = 128 << 30

// ErrLimit is an archive or an image beyond Options.MaxBytes.
var ErrLimit = errors.New("over the limit")

// quota counts inflated bytes, which may come from several layers at a time.
type quota struct {
	max   int64
	bytes atomic.Int64
}

func newQuota(limit int64) *quota {
	return &quota{max: cmp.Or(limit, DefaultMaxBytes)}
}

// limited is a stream whose bytes are charged to a quota.
type limited struct {
	r     io.Reader
	quota *quota
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.quota.bytes.Add(int64(n)) > l.quota.max {
		return 0, fmt.Errorf("%w of %d inflated bytes", ErrLimit, l.quota.max)
	}
	return n, err
}
