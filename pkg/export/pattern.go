package export

import (
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ReadPatterns reads a file of patterns in the .dockerignore grammar: one a
// line, '#' begins a comment. r is left open.
func ReadPatterns(r io.Reader) ([]string, error) {
	patterns, err := ignorefile.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading patterns: %w", err)
	}
	return patterns, nil
}

// pattern is one line of the .dockerignore grammar. Each has a matcher of its
// own, since the library's verdict over a list does not say which pattern
// matched, and patterns that match nothing are to be reported.
type pattern struct {
	text    string // as the user wrote it
	negated bool   // begins with '!'
	names   []string
	matcher *patternmatcher.PatternMatcher
	alone   patternmatcher.MatchInfo // says that no parent matched
	hit     atomic.Bool
}

func parsePattern(text string) (*pattern, error) {
	p := &pattern{text: text}
	clean := strings.TrimSpace(text)
	clean, p.negated = strings.CutPrefix(clean, "!")
	// Patterns are relative to the root with or without a slash in front.
	clean = strings.TrimLeft(strings.TrimSpace(clean), "/")
	if clean == "" {
		return nil, fmt.Errorf("pattern %q is empty", text)
	}
	clean = path.Clean(clean)
	p.names = strings.Split(clean, "/")
	// A '!' here would be the second one and belong to the name.
	if clean[0] == '!' {
		clean = `\` + clean
	}
	var err error
	if p.matcher, err = patternmatcher.New([]string{clean}); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	if p.alone, err = noParentMatched(); err != nil {
		return nil, err
	}
	// The first match compiles the pattern: a bad one shows here, and later
	// matches may run side by side.
	if _, _, err = p.matcher.MatchesUsingParentResults("x", p.alone); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return p, nil
}

// noParentMatched makes the library's note that the directories above did not
// match. Its fields are not exported; without the note the library would try
// every directory above a name again.
func noParentMatched() (patternmatcher.MatchInfo, error) {
	m, err := patternmatcher.New([]string{"a"})
	if err != nil {
		return patternmatcher.MatchInfo{}, err
	}
	_, info, err := m.MatchesUsingParentResults("b", patternmatcher.MatchInfo{})
	return info, err
}

// matches reports whether the pattern names path itself; that it names a
// directory above is the caller's knowledge.
func (p *pattern) matches(path string) bool {
	// A compiled pattern has no error left to give.
	ok, _, err := p.matcher.MatchesUsingParentResults(path, p.alone)
	return ok && err == nil
}

// mayMatchBelow reports whether the pattern could name something strictly below
// dir. In doubt it says yes, which only costs a look.
func (p *pattern) mayMatchBelow(dir string) bool {
	depth := 0
	for name := range strings.SplitSeq(dir, "/") {
		if depth == len(p.names) {
			return false
		}
		want := p.names[depth]
		// Classes and escapes mean slightly other things to path.Match.
		if strings.Contains(want, "**") || strings.ContainsAny(want, `[\`) {
			return true
		}
		if ok, err := path.Match(want, name); err == nil && !ok {
			return false
		}
		depth++
	}
	return depth < len(p.names)
}

// patternList is the patterns of one kind, in the user's order: the last one
// that matches a name or a directory above it decides.
type patternList []*pattern

func parsePatterns(texts []string) (patternList, error) {
	var list patternList
	for _, text := range texts {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// mark appends to marks, for each pattern, whether it matches path or a
// directory above it; above is the same of the parent, nil for the root's.
func (l patternList) mark(marks []bool, path string, above []bool) []bool {
	for i, p := range l {
		matched := above != nil && above[i]
		if !matched && p.matches(path) {
			matched = true
			p.hit.Store(true)
		}
		marks = append(marks, matched)
	}
	return marks
}

// verdict is what the last matching pattern says, and no where none matches.
func (l patternList) verdict(marks []bool) bool {
	for i := len(l) - 1; i >= 0; i-- {
		if marks[i] {
			return !l[i].negated
		}
	}
	return false
}

// turnsBelow reports whether a pattern of the wanted kind, negated or not, could
// change the verdict on something strictly below dir.
func (l patternList) turnsBelow(dir string, negated bool) bool {
	for _, p := range l {
		if p.negated == negated && p.mayMatchBelow(dir) {
			return true
		}
	}
	return false
}

// pass notes that what lies below dir was not looked at: a pattern that might
// have matched there cannot be called unmatched.
func (l patternList) pass(dir string) {
	for _, p := range l {
		if p.mayMatchBelow(dir) {
			p.hit.Store(true)
		}
	}
}
