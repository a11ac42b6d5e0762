// Package progress tells on standard error how far the work is: as a bar on a
// terminal, as lines elsewhere, or as JSON.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// Reporter tells a person, or a program, on stderr how far the work is. One
// stage is shown at a time. Its methods may be called from any goroutine.
type Reporter struct {
	errors io.Writer
	// show makes the display of a stage; nil shows none.
	show func(io.Writer, snapshot.Step) display
	// message makes the line of a notice, warning that of a warning.
	message, warning func(text string) string
	// quiet leaves out notices.
	quiet bool

	mu    sync.Mutex
	stage string
	now   display
	ended bool
}

// display shows one stage.
type display interface {
	update(snapshot.Step)
	// above writes a line that stays, without disturbing what is shown.
	above(line string)
	end()
}

// New tells notices and warnings, and shows no stage until Choose was called.
func New(errors io.Writer) *Reporter {
	return &Reporter{errors: errors, message: Line, warning: Line}
}

// Choose reads --progress. A terminal gets a bar, anything else a line now and
// then; a dumb terminal cannot move its cursor.
func (p *Reporter) Choose(mode string) error {
	if mode == "auto" {
		mode = "plain"
		if f, ok := p.errors.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
			mode = "tty"
		}
	}
	switch mode {
	case "tty":
		p.show = newBar
	case "plain":
		p.show = newLines(plainStep, plainEvery, false)
	case "json":
		p.show = newLines(jsonStep, jsonEvery, true)
		p.message, p.warning = jsonMessage, jsonWarning
	case "quiet":
		p.quiet = true
	default:
		return fmt.Errorf("reading --progress %q: it is auto, tty, plain, json or quiet", mode)
	}
	return nil
}

// Wanted says whether anybody looks at steps.
func (p *Reporter) Wanted() bool { return p.show != nil }

// Step shows how far a stage is; a new stage ends the one before.
func (p *Reporter) Step(s snapshot.Step) {
	if !p.Wanted() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	if s.Stage != p.stage {
		p.endStage()
		p.stage, p.now = s.Stage, p.show(p.errors, s)
	}
	p.now.update(s)
}

// End ends what is shown, and drops what comes later: work that hangs may go on.
func (p *Reporter) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endStage()
	p.ended = true
}

// Done ends what is shown.
func (p *Reporter) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endStage()
}

func (p *Reporter) endStage() {
	if p.now != nil {
		p.now.end()
	}
	p.stage, p.now = "", nil
}

// Notice writes a line about what is done or waited for.
func (p *Reporter) Notice(text string) {
	if !p.quiet {
		p.line(p.message(text))
	}
}

// Warn writes a line about what the user may not expect. It is not progress, so no
// mode silences it.
func (p *Reporter) Warn(text string) { p.line(p.warning(text)) }

// line writes a line that stays.
func (p *Reporter) line(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	if p.now != nil {
		p.now.above(line)
		return
	}
	fmt.Fprintln(p.errors, line)
}

// Line gives the line of a notice or an error.
func Line(text string) string { return "ctr-rootfs: " + text }
