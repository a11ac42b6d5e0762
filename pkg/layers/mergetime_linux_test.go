package layers

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manyLayers are images of many layers whose directories lie over one another.
var manyLayers = []struct {
	name string
	add  func(layer, directory int) layer
}{
	{"the same directories", func(_, d int) layer {
		return layer{dir(fmt.Sprint("d", d), 0o755)}
	}},
	{"the same directories without entries", func(_, d int) layer {
		return layer{file(fmt.Sprintf("d%d/f", d), "")}
	}},
	{"other directories in one", func(l, d int) layer {
		return layer{file(fmt.Sprintf("p/d%d-%d/f", l, d), "")}
	}},
	{"whiteouts", func(l, d int) layer {
		return layer{file(fmt.Sprintf("d%d/.wh.%d", d, l), "")}
	}},
	{"symlinks and directories in turns", func(l, d int) layer {
		if l%2 == 0 {
			return layer{symlink(fmt.Sprint("d", d), "p/d")}
		}
		return layer{file(fmt.Sprintf("d%d/f", d), "")}
	}},
}

// mergeMany gives the processor time that merging takes, without that of reading
// tars.
func mergeMany(tb testing.TB, layers, directories int, add func(layer, directory int) layer) time.Duration {
	tb.Helper()
	var indexes []*index
	q := newQuota(Options{})
	for l := range layers {
		x := newIndex(uint32(l), q)
		for d := range directories {
			for _, i := range add(l, d) {
				if err := x.add(&i.Header, body{}); err != nil {
					tb.Fatal(err)
				}
			}
		}
		indexes = append(indexes, x)
	}
	began := processorTime(tb)
	if _, err := mergeAll(tb.Context(), indexes); err != nil {
		tb.Fatal(err)
	}
	return processorTime(tb) - began
}

// processorTime is what this process has used, whatever else the machine does.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestMergeTime has 8 times the layers, which may take 40 times as long: where
// each layer's directories were looked for in all below it, it was 64 times and
// more. A core's own cache favours the few: without that it would be 8 times.
func TestMergeTime(t *testing.T) {
	const few, many, directories, limit = 200, 1600, 50, 40
	for _, c := range manyLayers {
		t.Run(c.name, func(t *testing.T) {
			// Sharing a core makes a run longer, never shorter.
			one, other := time.Hour, time.Hour
			for round := 0; round < 10 && (round == 0 || other > limit*one); round++ {
				one = min(one, mergeMany(t, few, directories, c.add))
				other = min(other, mergeMany(t, many, directories, c.add))
			}
			if other > limit*one {
				t.Errorf("merging %d layers took %v, %d layers %v", few, one, many, other)
			}
			t.Logf("%d layers: %v, %d layers: %v", few, one, many, other)
		})
	}
}

// BenchmarkMerge merges 1,000 layers of 500 directories.
func BenchmarkMerge(b *testing.B) {
	for _, c := range manyLayers {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(mergeMany(b, 1000, 500, c.add).Seconds(), "s/merge")
			}
		})
	}
}
