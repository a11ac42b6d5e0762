package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/progress"
)

// streams are the standard streams: stdout carries data only.
type streams struct {
	in     *os.File
	out    *os.File
	errors io.Writer
	// progress is what is told on errors while the work goes on.
	progress *progress.Reporter
}

// notice tells a person something, in a line.
func (s streams) notice(text string) { s.progress.Notice(oneLine(text)) }

// warn reports in a line what the user may not expect, whatever --progress is.
func (s streams) warn(text string) { s.progress.Warn(oneLine(text)) }

// endBy has a reader of errors that stalls not hold up what ctx ends.
func (s streams) endBy(ctx context.Context) {
	if stderr, is := s.errors.(*files.Stderr); is {
		stderr.EndBy(ctx)
	}
}

// interrupted is the cause with which a signal ends the work.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return i.signal.String() }

// run is the whole program but for the exit: it gives the exit status.
func run(ctx context.Context, args []string, s streams) int {
	ctx, stop := untilSignal(ctx)
	defer stop()
	defer surviveSIGPIPE()()
	if f, is := s.errors.(*os.File); is && !term.IsTerminal(int(f.Fd())) {
		s.errors = files.NewStderr(ctx, f)
	}
	s.progress = progress.New(s.errors)
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.errors)
	err := root.ExecuteContext(ctx)
	if !errors.Is(err, errTimeout) {
		s.endBy(ctx)
	}
	s.progress.End()
	if err == nil {
		return 0
	}
	// An error is told in words whatever --progress is.
	fmt.Fprintln(s.errors, progress.Line(oneLine(explain(err))))
	return status(err)
}

// oneSignal is how long signals count as one: timeout(1) sends its own to the
// process and to its group, and so does whoever passes a Ctrl-C on.
const oneSignal = time.Second

// untilSignal gives a context that the first SIGINT, SIGTERM or SIGHUP cancels,
// with an interrupted as its cause. One that comes later ends the process at once.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		// What nohup, or a shell in the background, had ignored stays so.
		if !signal.Ignored(sig) {
			signal.Notify(signals, sig)
		}
	}
	done := make(chan struct{})
	go func() {
		select {
		case sig := <-signals:
			cancel(interrupted{sig.(syscall.Signal)})
		case <-done:
			return
		}
		select {
		case <-time.After(oneSignal):
			signal.Stop(signals)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		close(done)
	}
}

// surviveSIGPIPE makes a reader that went away an error of the write, so that
// what was begun is undone. Go's runtime would end the process, for standard
// output and standard error alone. Ignoring the signal instead would make every
// child ignore it, too.
func surviveSIGPIPE() (stop func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// oneSource accepts exactly one SOURCE, and what follows "--" where rest is
// true.
func oneSource(rest bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		own := len(args)
		if dash := cmd.ArgsLenAtDash(); rest && dash >= 0 {
			own = dash
		}
		switch {
		case own == 1:
			return nil
		case own == 0:
			return usagef("reading the command line: no SOURCE was given: see %q", cmd.CommandPath()+" --help")
		}
		return usagef("reading the command line: one SOURCE is wanted, not %d (%q)", own, args[:own])
	}
}

// noArguments refuses what stands behind a verb that takes nothing.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("reading the command line: %q takes no arguments, not %q", cmd.CommandPath(), args)
	}
	return nil
}

// isUsage says whether the command line is wrong. Cobra's own error of a verb that
// there is not is a text.
func isUsage(err error) bool {
	var u usageError
	return errors.As(err, &u) || errors.Is(err, files.ErrTerminal) || strings.HasPrefix(err.Error(), "unknown command")
}
