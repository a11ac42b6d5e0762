package main

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

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

// givenAs gives, for patterns that matched nothing and values of --keep that change
// nothing, the path to give instead. Patterns are compared with names as they stand
// in the tree, so a path through a symlink matches nothing. Where no better path is
// known, there is no entry.
func (s *shownTree) givenAs(ctx context.Context) map[string]string {
	given := make(map[string]string)
	for _, pattern := range s.filter.Unmatched() {
		if instead := s.straightPattern(ctx, pattern); instead != "" {
			given[pattern] = instead
		}
	}
	for _, keep := range s.unkept {
		if instead := s.ofProfile(ctx, keep); instead != "" {
			given[keep] = instead
		}
	}
	return given
}

// wildcards are the characters with a meaning of their own in a pattern.
const wildcards = `*?[\`

// straightPattern follows the symlinks in the directories that pattern names. It is
// empty if there are none, or if nothing exists at the path that it leads to.
func (s *shownTree) straightPattern(ctx context.Context, pattern string) string {
	name, negated := strings.CutPrefix(strings.TrimSpace(pattern), "!")
	names := strings.Split(rooted(name), "/")
	named := slices.IndexFunc(names, func(n string) bool { return strings.ContainsAny(n, wildcards) })
	if named < 0 {
		named = len(names) - 1
	}
	dir, rest := path.Join(names[:named]...), path.Join(names[named:]...)
	straight, _, err := export.Resolve(ctx, s.accounts, dir)
	if err != nil || straight == path.Clean(dir) || strings.ContainsAny(straight, wildcards) {
		return ""
	}
	instead := path.Join(straight, rest)
	if named == len(names)-1 && !strings.ContainsAny(rest, wildcards) {
		if _, err := s.accounts.Lookup(ctx, instead); err != nil {
			return ""
		}
	}
	if negated {
		return "!" + instead
	}
	return instead
}

// ofProfile gives the path that the profile has for the file that keep leads to,
// empty if it has none.
func (s *shownTree) ofProfile(ctx context.Context, keep string) string {
	names := slices.Clone(s.profile.Omit)
	for _, made := range s.profile.Files {
		names = append(names, made.Path)
	}
	for _, name := range names {
		if s.straight(ctx, name) == s.straight(ctx, keep) {
			return name
		}
	}
	return ""
}

// straight follows the symlinks in the directories of name; a name that cannot be
// followed stays as it is.
func (s *shownTree) straight(ctx context.Context, name string) string {
	dir, last := path.Split(rooted(name))
	if straight, _, err := export.Resolve(ctx, s.accounts, dir); err == nil {
		return path.Join(straight, last)
	}
	return rooted(name)
}
