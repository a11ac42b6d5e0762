// Package console reads the commands out of a Markdown page, with what the page
// says they print, so that a test can run them.
//
// A command begins with "$ " in a block fenced as console, and goes on while a
// line ends in a backslash, or in lines that begin with "> " (a here-document).
// What follows, up to the next command, is its output: "..." stands for
// anything within a line and, alone, for any lines. A command without output
// may print what it likes. A comment on the line before a block changes it:
//
//	<!-- not run: REASON -->   nobody runs it; the test knows the reasons
//	<!-- exit status: 3 -->    its last command ends so, instead of with 0
package console

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Command is one command of a page.
type Command struct {
	// Line is where it begins, from 1.
	Line int
	Text string
	// Output is what it prints, "" where the page does not say.
	Output string
	// Status is its exit status.
	Status int
	// NotRun says why it is not run, "" where it is.
	NotRun string
}

var (
	comment = regexp.MustCompile(`^<!-- (not run|exit status): (.+) -->$`)
	// shells are fences whose commands nobody would run.
	shells = regexp.MustCompile("^```(sh|bash|shell|shell-session)$")
)

// reader is where a page's reading stands.
type reader struct {
	commands []Command
	// inside is the fence that is open, "" outside of one.
	inside string
	// first is the index of the first command of the block.
	first  int
	notRun string
	status int
}

// Parse reads the page's text. A block with commands that no test would find is
// an error.
func Parse(text string) ([]Command, error) {
	var r reader
	for i, line := range strings.Split(text, "\n") {
		if err := r.line(i+1, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if r.inside != "" {
		return nil, fmt.Errorf("the last block has no end")
	}
	return r.commands, nil
}

func (r *reader) line(number int, line string) error {
	fence := strings.HasPrefix(strings.TrimSpace(line), "```")
	switch {
	case fence && r.inside == "":
		r.inside, r.first = strings.TrimSpace(line), len(r.commands)
		if shells.MatchString(r.inside) {
			return fmt.Errorf("a block of commands is fenced as ```console, each beginning with \"$ \"")
		}
	case fence:
		return r.end()
	case r.inside == "```console":
		r.add(number, line)
	case r.inside != "" && (strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "# ctr-rootfs")):
		return fmt.Errorf("a command in a block that is not fenced as ```console is not run")
	case r.inside == "":
		return r.outside(line)
	}
	return nil
}

// outside reads what stands before a block.
func (r *reader) outside(line string) error {
	m := comment.FindStringSubmatch(line)
	switch {
	case m == nil && strings.TrimSpace(line) != "":
		r.notRun, r.status = "", 0
	case m == nil:
	case m[1] == "not run":
		r.notRun = m[2]
	default:
		var err error
		r.status, err = strconv.Atoi(m[2])
		return err
	}
	return nil
}

// add reads a line of a block.
func (r *reader) add(number int, line string) {
	if text, ok := strings.CutPrefix(line, "$ "); ok {
		r.commands = append(r.commands, Command{Line: number, Text: text, NotRun: r.notRun})
		return
	}
	if len(r.commands) == r.first {
		return // what stands before the first command explains it
	}
	last := &r.commands[len(r.commands)-1]
	if last.Output == "" && strings.HasSuffix(last.Text, "\\") {
		last.Text += "\n" + line
		return
	}
	if text, ok := strings.CutPrefix(line, "> "); ok && last.Output == "" {
		last.Text += "\n" + text
		return
	}
	last.Output += line + "\n"
}

func (r *reader) end() error {
	if r.inside == "```console" && len(r.commands) == r.first {
		return fmt.Errorf("a console block without a command: each begins with \"$ \"")
	}
	if len(r.commands) > r.first {
		r.commands[len(r.commands)-1].Status = r.status
	}
	r.inside, r.notRun, r.status = "", "", 0
	return nil
}

// Prints says whether got is what the page says the command prints.
func (c Command) Prints(got string) bool {
	if c.Output == "" {
		return true
	}
	var pattern strings.Builder
	for line := range strings.Lines(c.Output) {
		if line == "...\n" {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		for i, part := range strings.Split(strings.TrimSuffix(line, "\n"), "...") {
			if i > 0 {
				pattern.WriteString(`.*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(` *\n`)
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(got)
}
