package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

// liveFlags are about roots that others write to while they are read.
type liveFlags struct {
	pause, allowChanges bool
}

func newPauseFlag(flags *pflag.FlagSet) *liveFlags {
	f := &liveFlags{}
	flags.BoolVar(&f.pause, "pause", false, "hold the container still while it is read; after a SIGKILL it stays so until gc")
	return f
}

func (f *liveFlags) addAllowChanges(flags *pflag.FlagSet) {
	flags.BoolVar(&f.allowChanges, "allow-changes", false, "exit with 0 also where the container changed while it was read")
}

// changedError says that what was written is whole, but of no one moment.
type changedError struct {
	source string
	files  int64
}

func (e *changedError) Error() string {
	return fmt.Sprintf("reading %q: the container changed while it was read: %d files", e.source, e.files)
}

// judge is a changedError where that is to be one.
func (f *liveFlags) judge(m metadata) error {
	if m.Changes == 0 || f.allowChanges {
		return nil
	}
	return &changedError{source: m.Source, files: m.Changes}
}
