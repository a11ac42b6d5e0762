package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// barEvery is how often a bar is drawn: smooth, and nothing to a terminal.
const barEvery = 100 * time.Millisecond

// bar shows a stage on a terminal. It goes when the stage is over: what stays
// are the notices.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	updated   time.Time
}

func newBar(w io.Writer, s snapshot.Step) display {
	container := mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(barEvery), mpb.WithWidth(64))
	began := time.Now()
	beside := decor.Any(func(st decor.Statistics) string {
		now := snapshot.Step{Unit: s.Unit, Done: st.Current}
		done := amount(now, now.Done)
		if s.Total > 0 {
			now.Total = max(s.Total, st.Current)
			done = ofTotal(now)
		}
		return " " + done + rate(now, time.Since(began)) + left(now, time.Since(began))
	})
	// Where nobody knows how much there is, a bar would be a lie.
	var filler mpb.BarFillerBuilder = mpb.SpinnerStyle()
	if s.Total > 0 {
		filler = mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]")
	}
	b := container.New(s.Total, filler,
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-10s", s.Stage))),
		mpb.AppendDecorators(beside),
		mpb.BarRemoveOnComplete())
	return &bar{container: container, bar: b}
}

func (b *bar) update(s snapshot.Step) {
	// Each update costs the bar's goroutine a message: one a drawing will do.
	if now := time.Now(); now.Sub(b.updated) >= barEvery/2 {
		b.updated = now
	} else {
		return
	}
	// What is done may exceed what was thought to be all, and must not end
	// the bar by that.
	b.bar.SetTotal(max(s.Total, s.Done+1), false)
	b.bar.SetCurrent(s.Done)
}

func (b *bar) above(line string) {
	fmt.Fprintln(b.container, line)
}

func (b *bar) end() {
	b.bar.Abort(true)
	b.container.Wait()
}
