package export_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// stopWithin is what a person takes for at once. A busy machine may delay a
// goroutine for longer, so the quickest of a few attempts counts.
const stopWithin = raceSlowdown * 100 * time.Millisecond

// Inside a file of 9 GiB, Write stops at the next read and not at the next file,
// whatever the sink does with the bytes.
func TestStopsInsideALargeFile(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "large"), nil, 0o644))
	must(t, os.Truncate(filepath.Join(dir, "large"), 9<<30))
	tree := dirTree(t, dir)
	stopped := errors.New("stopped by the test")
	for _, compression := range []string{"none", "gzip", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			best := time.Hour
			for range 5 {
				best = min(best, timeToStop(t, tree, compression, stopped))
			}
			if best > stopWithin {
				t.Errorf("stopping inside a file of 9 GiB took %v at best, want at most %v", best, stopWithin)
			}
		})
	}
}

func timeToStop(t *testing.T, tree export.Tree, compression string, why error) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	begun := make(chan struct{})
	sink, err := export.NewCompressedTar(&signalled{begun: begun}, export.Compression{Format: compression})
	must(t, err)
	var asked time.Time
	go func() {
		<-begun
		asked = time.Now()
		cancel(why)
	}()
	report, err := export.Write(ctx, tree, sink)
	took := time.Since(asked)
	if !errors.Is(err, why) || report.Entries() != 0 {
		t.Fatalf("Write gives %v after %d entries, want %q inside the first", err, report.Entries(), why)
	}
	return took
}

// signalled is written to, and says when that begins.
type signalled struct{ begun chan struct{} }

func (s *signalled) Write(p []byte) (int, error) {
	if s.begun != nil {
		close(s.begun)
		s.begun = nil
	}
	return io.Discard.Write(p)
}
