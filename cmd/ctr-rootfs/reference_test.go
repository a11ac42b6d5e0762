package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestReference compares docs/reference.md with the commands. UPDATE=1 writes it
// ("make docs").
func TestReference(t *testing.T) {
	for _, name := range []string{"CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE", "CONTAINERD_SNAPSHOTTER", "CTR_ROOTFS_STORE", "SOURCE_DATE_EPOCH"} {
		t.Setenv(name, "") // they are defaults of flags
	}
	const file = "../../docs/reference.md"
	want := reference(newRoot(streams{in: os.Stdin, out: os.Stdout, errors: io.Discard}))
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/reference.md is not what the commands say: run make docs (%s)", firstDifference(string(got), want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, want %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("it has %d lines, want %d", len(g), len(w))
}

// reference is the page: every verb and flag, from what --help is made of.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Reference\n\n<!-- Made by make docs from the commands: change those. -->\n\n")
	fmt.Fprintf(&b, "```\n%s\n```\n\n", root.Long)
	b.WriteString("Exit statuses, and what is written where, are in the [README](../README.md#what-is-written).\n\n")
	var verbs []*cobra.Command
	for _, verb := range root.Commands() {
		if !verb.Hidden && verb.Name() != "help" {
			verbs = append(verbs, verb)
			fmt.Fprintf(&b, "- [%s](#%s): %s\n", verb.Name(), verb.Name(), verb.Short)
		}
	}
	b.WriteString("\n## Flags of every verb\n\n")
	flagTable(&b, root.PersistentFlags())
	for _, verb := range verbs {
		verbSection(&b, verb)
	}
	return b.String()
}

func verbSection(b *strings.Builder, verb *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n", verb.Name())
	if verb.Long == "" {
		verb.Long = verb.Short + "."
	}
	fmt.Fprintf(b, "%s\n\n```\n", strings.TrimSpace(verb.Long))
	if verb.HasSubCommands() {
		for _, sub := range verb.Commands() {
			fmt.Fprintln(b, sub.UseLine())
		}
	} else {
		fmt.Fprintln(b, verb.UseLine())
	}
	b.WriteString("```\n")
	if verb.Example != "" {
		b.WriteString("\n```console\n")
		for example := range strings.Lines(verb.Example) {
			fmt.Fprintf(b, "$ %s\n", strings.TrimSpace(example))
		}
		b.WriteString("```\n")
	}
	if verb.LocalNonPersistentFlags().HasFlags() {
		b.WriteString("\n")
		flagTable(b, verb.LocalNonPersistentFlags())
	}
}

func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | default | |\n| --- | --- | --- |\n")
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(flag)
		name := "--" + flag.Name
		switch value {
		case "":
		case "string", "stringArray":
			name += " VALUE"
		default:
			name += " " + value
		}
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + ", " + name
		}
		byDefault := ""
		switch flag.DefValue {
		case "", "false", "[]", "0", "0s":
		default:
			byDefault = "`" + flag.DefValue + "`"
		}
		if flag.Value.Type() == "stringArray" {
			usage += "; may be repeated"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, byDefault, strings.ReplaceAll(usage, "|", "\\|"))
	})
}
