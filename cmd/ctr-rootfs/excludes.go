package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// excludeFlags are --exclude and --exclude-from as they stand on the command
// line: the last pattern that matches decides, wherever it was written.
type excludeFlags []excludeFlag

// excludeFlag is one of them: a pattern, or the name of a file of patterns.
type excludeFlag struct {
	text   string
	isFile bool
}

func (f *excludeFlags) add(flags *pflag.FlagSet) {
	flags.Var(excludeValue{f, false}, "exclude", "leave out what matches `PATTERN` (.dockerignore grammar; ! brings back)")
	flags.Var(excludeValue{f, true}, "exclude-from", "read exclude patterns from `FILE`, in order with those of --exclude")
}

// patterns gives them all in order, with those that the files hold.
func (f *excludeFlags) patterns(ctx context.Context) (patterns []string, err error) {
	for _, flag := range *f {
		name, held := "--exclude", []string{flag.text}
		if flag.isFile {
			name = "--exclude-from"
			if held, err = readPatterns(ctx, flag.text); err != nil {
				return nil, err
			}
		}
		for _, pattern := range held {
			if err := checkPattern(name, flag.text, pattern); err != nil {
				return nil, err
			}
		}
		patterns = append(patterns, held...)
	}
	return patterns, nil
}

// checkPattern says, before anything is opened, that a pattern cannot be read:
// text is what flag was given.
func checkPattern(flag, text, pattern string) error {
	if _, err := export.NewFilter(nil, export.Rules{Exclude: []string{pattern}}); err != nil {
		return usagef("reading %s %q: %w", flag, text, err)
	}
	return nil
}

func readPatterns(ctx context.Context, name string) ([]string, error) {
	text, err := files.Document(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading exclude patterns: %w", err)
	}
	patterns, err := export.ReadPatterns(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading exclude patterns from %q: %w", name, err)
	}
	return patterns, nil
}

// excludeValue is a pflag.Value that adds to a list which two flags share.
type excludeValue struct {
	list  *excludeFlags
	files bool
}

func (v excludeValue) String() string { return "" }

// Type is that of a flag that may be repeated.
func (v excludeValue) Type() string { return "stringArray" }

func (v excludeValue) Set(text string) error {
	*v.list = append(*v.list, excludeFlag{text, v.files})
	return nil
}
