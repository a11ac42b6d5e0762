package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// limits are what an image may have that is read by its layers, and what an
// archive may inflate to: who made them may be hostile.
type limits struct {
	entries, bytes limit
}

func newLimits(flags *pflag.FlagSet) *limits {
	l := &limits{
		entries: limit{layers.DefaultMaxEntries, strconv.FormatInt(layers.DefaultMaxEntries, 10), parseCount},
		bytes:   limit{layers.DefaultMaxBytes, fmt.Sprintf("%dg", layers.DefaultMaxBytes>>30), ocispec.ParseMemory},
	}
	flags.Var(&l.entries, "max-entries", "refuse an image whose layers have more than `N` entries (400 bytes of memory each)")
	flags.Var(&l.bytes, "max-bytes", "refuse an image or archive that inflates to more than `SIZE`")
	return l
}

// limit is a flag's number and the text that it was given as.
type limit struct {
	value int64
	text  string
	parse func(string) (int64, error)
}

// Set is pflag.Value's, as are the others.
func (l *limit) Set(text string) (err error) {
	l.value, err = l.parse(text)
	l.text = text
	return err
}

func (l *limit) String() string { return l.text }

// Type is shown in no help: each flag's usage names its argument.
func (l *limit) Type() string { return "limit" }

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number of 1 or more", text)
	}
	return n, nil
}
