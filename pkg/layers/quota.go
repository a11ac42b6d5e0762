package layers

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
)

// quota counts over all layers, which are read side by side, and holds the
// limits of Options.
type quota struct {
	maxEntries, maxBytes, maxMetadata int64

	entries, bytes, metadata atomic.Int64
	headers, spooled, xattrs atomic.Int64
	inflated                 atomic.Int64
	unnamed, undecided       atomic.Int64
	// wide is held by the layer that takes much memory to inflate.
	wide sync.Mutex
}

func newQuota(o Options) *quota {
	entries := cmp.Or(o.MaxEntries, DefaultMaxEntries)
	return &quota{
		maxEntries:  entries,
		maxBytes:    cmp.Or(o.MaxBytes, DefaultMaxBytes),
		maxMetadata: cmp.Or(o.MaxMetadata, metadataOf(entries)),
	}
}

// metadataOf is the default limit of metadata; entries may be any number.
func metadataOf(entries int64) int64 {
	return min(entries, math.MaxInt64/DefaultMetadataPerEntry) * DefaultMetadataPerEntry
}

func (q *quota) report() Report {
	return Report{
		Headers: q.headers.Load(), Inflated: q.inflated.Load(), Spooled: q.spooled.Load(), Xattrs: q.xattrs.Load(),
		Unnamed: q.unnamed.Load(), Undecided: q.undecided.Load(),
	}
}

// addEntry charges one node of the index and the bytes of its name.
func (q *quota) addEntry(name string) error {
	if q.entries.Add(1) > q.maxEntries {
		return &LimitError{LimitEntries, q.maxEntries}
	}
	return q.addMetadata(len(name))
}

func (q *quota) addMetadata(n int) error {
	if q.metadata.Add(int64(n)) > q.maxMetadata {
		return &LimitError{LimitMetadata, q.maxMetadata}
	}
	return nil
}

// addBytes charges inflated bytes, or those of a sparse file's holes.
func (q *quota) addBytes(n int64) error {
	// n comes out of a header where a file is sparse: the sum must not wrap.
	if n > q.maxBytes || q.bytes.Add(n) > q.maxBytes {
		return &LimitError{LimitBytes, q.maxBytes}
	}
	return nil
}
