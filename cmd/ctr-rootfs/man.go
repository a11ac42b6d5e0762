package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// newMan writes the manual pages for packagers; a user reads what they hold
// with --help.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages into DIR",
		Hidden:  true,
		Example: "  ctr-rootfs man /usr/share/man/man1",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("reading the command line: one DIR is wanted, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return writePages(cmd.Root(), args[0]) },
	}
}

// writePages writes a page for cmd and for each verb below it.
func writePages(cmd *cobra.Command, dir string) error {
	if err := writePage(cmd, filepath.Join(dir, pageName(cmd)+".1")); err != nil {
		return err
	}
	for _, verb := range cmd.Commands() {
		if verb.IsAvailableCommand() {
			if err := writePages(verb, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func writePage(cmd *cobra.Command, name string) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("writing %q: %w", name, hostfile.WithoutPath(err))
	}
	w := bufio.NewWriter(file)
	page(w, cmd)
	if err := joined(w.Flush(), file.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", name, hostfile.WithoutPath(err))
	}
	return nil
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page writes a manual page as man(7) has it. It has no date: the same commands
// give the same page.
func page(w io.Writer, cmd *cobra.Command) {
	name := pageName(cmd)
	fmt.Fprintf(w, ".TH %s 1 \"\" \"ctr-rootfs\" \"User Commands\"\n", strings.ToUpper(roff(name)))
	// Flags are long words: no hyphenation, no filled lines.
	fmt.Fprint(w, ".nh\n.ad l\n")
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	if text := cmd.Long; text != "" {
		fmt.Fprintf(w, ".SH DESCRIPTION\n.nf\n%s\n.fi\n", roff(text))
	}
	section(w, "OPTIONS", cmd.NonInheritedFlags())
	section(w, "OPTIONS OF EVERY VERB", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(w, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	var others []string
	if cmd.HasParent() {
		others = append(others, pageName(cmd.Parent()))
	}
	for _, verb := range cmd.Commands() {
		if verb.IsAvailableCommand() {
			others = append(others, pageName(verb))
		}
	}
	fmt.Fprint(w, ".SH SEE ALSO\n")
	for _, other := range others {
		fmt.Fprintf(w, ".BR %s (1)\n", roff(other))
	}
}

// section lists flags, each with its value and what it does.
func section(w io.Writer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(w, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		names := "--" + f.Name
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + ", " + names
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(names+" "+value)), roff(usage))
	})
}

// roff keeps text from being read as requests (groff(7), "Escapes").
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
