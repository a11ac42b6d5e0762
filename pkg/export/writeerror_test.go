package export_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// failing is a writer that takes a number of bytes and then fails.
type failing struct{ left int }

var errFull = errors.New("no space left")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteErrorIsReported(t *testing.T) {
	var entries []*export.Entry
	for i := range 2000 {
		entries = append(entries, exporttest.File(fmt.Sprintf("%04d", i), strings.Repeat("x", 1000)))
	}
	for _, left := range []int{0, 1 << 20, 3 << 20} {
		for _, format := range []string{"none", "gzip", "zstd"} {
			sink, err := export.NewCompressedTar(&failing{left: left >> 10}, export.Compression{Format: format})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = export.Write(t.Context(), exporttest.New(entries...), sink); !errors.Is(err, errFull) {
				t.Errorf("%s, %d bytes: got %v", format, left>>10, err)
			}
		}
	}
}

// faulty is a writer of which one write fails: it is to be the last, and no two
// are to be made at once.
type faulty struct {
	busy         sync.Mutex
	writes, fail int
}

func (f *faulty) Write(p []byte) (int, error) {
	if !f.busy.TryLock() {
		return 0, errors.New("a write before the last one was through")
	}
	defer f.busy.Unlock()
	time.Sleep(time.Millisecond)
	if f.writes++; f.writes == f.fail {
		return len(p) / 2, errFull
	} else if f.writes > f.fail {
		return 0, errors.New("a write after one that failed")
	}
	return len(p), nil
}

// TestEveryWriteErrorIsReported fails the first write, the second ..., the last:
// beside it the next entries are read, which changes nothing.
func TestEveryWriteErrorIsReported(t *testing.T) {
	var entries []*export.Entry
	for i, size := range []int{0, 1000, 3 << 20, 1 << 20, 100, 1<<20 - 512, 2 << 20, 7} {
		entries = append(entries, exporttest.File(strconv.Itoa(i), strings.Repeat("x", size)))
	}
	for fail := 1; ; fail++ {
		w := &faulty{fail: fail}
		_, err := export.Write(t.Context(), exporttest.New(entries...), export.NewTar(w))
		if w.writes < fail {
			if err != nil || fail < 8 {
				t.Errorf("%d writes and none failed: %v", w.writes, err)
			}
			return
		}
		if !errors.Is(err, errFull) || w.writes != fail || strings.Contains(err.Error(), "undoing") {
			t.Errorf("write %d of %d failed: %v", fail, w.writes, err)
		}
	}
}
