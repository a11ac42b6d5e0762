package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// How often a line is written: a log is read later, a program at once.
const (
	plainEvery = 5 * time.Second
	jsonEvery  = 500 * time.Millisecond
)

// lines shows a stage as lines, of which each stands for itself.
type lines struct {
	w      io.Writer
	format func(snapshot.Step, time.Duration) string
	began  time.Time
	stop   chan struct{}
	over   sync.WaitGroup

	mu   sync.Mutex
	last snapshot.Step
}

// newLines makes displays that write a line every so often; with edges also
// one when a stage begins and one when it ends.
func newLines(format func(snapshot.Step, time.Duration) string, every time.Duration, edges bool) func(io.Writer, snapshot.Step) display {
	return func(w io.Writer, first snapshot.Step) display {
		l := &lines{w: w, format: format, began: time.Now(), stop: make(chan struct{}), last: first}
		l.over.Go(func() {
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			if edges {
				l.write()
			}
			for {
				select {
				case <-ticker.C:
					l.write()
				case <-l.stop:
					if edges {
						l.write()
					}
					return
				}
			}
		})
		return l
	}
}

func (l *lines) update(s snapshot.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = s
}

func (l *lines) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, l.format(l.last, time.Since(l.began)))
}

func (l *lines) above(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, line)
}

func (l *lines) end() {
	close(l.stop)
	l.over.Wait()
}

// plainStep is a line for a log.
func plainStep(s snapshot.Step, took time.Duration) string {
	line := fmt.Sprintf("ctr-rootfs: %s: %s", s.Stage, amount(s, s.Done))
	if s.Total <= 0 {
		return line + rate(s, took)
	}
	line = fmt.Sprintf("ctr-rootfs: %s: %s (%d %%)", s.Stage, ofTotal(s), min(100, s.Done*100/s.Total))
	return line + rate(s, took) + left(s, took)
}

// ofTotal gives what is done of what.
func ofTotal(s snapshot.Step) string {
	if s.Unit == "bytes" {
		return fmt.Sprintf("%s of %s", Size(s.Done), Size(s.Total))
	}
	return fmt.Sprintf("%d of %d %s", s.Done, s.Total, s.Unit)
}

// amount gives a number of bytes or layers for people.
func amount(s snapshot.Step, n int64) string {
	if s.Unit == "bytes" {
		return Size(n)
	}
	return fmt.Sprintf("%d %s", n, s.Unit)
}

func rate(s snapshot.Step, took time.Duration) string {
	if s.Unit != "bytes" || s.Done == 0 || took < time.Second {
		return ""
	}
	return fmt.Sprintf(", %s/s", Size(int64(float64(s.Done)/took.Seconds())))
}

func left(s snapshot.Step, took time.Duration) string {
	if s.Done <= 0 || s.Done >= s.Total || took < time.Second {
		return ""
	}
	rest := time.Duration(float64(took) * float64(s.Total-s.Done) / float64(s.Done))
	return fmt.Sprintf(", %s left", rest.Round(time.Second))
}

// progressLine is a line of --progress json.
type progressLine struct {
	Stage   string  `json:"stage,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	Done    *int64  `json:"done,omitempty"`
	Total   int64   `json:"total,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Message string  `json:"message,omitempty"`
	// Level is "warning" where Message is one.
	Level string `json:"level,omitempty"`
}

func jsonStep(s snapshot.Step, took time.Duration) string {
	return marshalled(progressLine{Stage: s.Stage, Unit: s.Unit, Done: &s.Done, Total: s.Total, Seconds: took.Seconds()})
}

func jsonMessage(text string) string { return marshalled(progressLine{Message: text}) }

func jsonWarning(text string) string {
	return marshalled(progressLine{Message: text, Level: "warning"})
}

// marshalled cannot fail on a progressLine.
func marshalled(l progressLine) string {
	text, err := json.Marshal(l)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Size gives bytes in the unit that a person reads most easily.
func Size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit && prefix < 4 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTP"[prefix])
}
