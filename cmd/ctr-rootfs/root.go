package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageInOurWords makes cobra's usage text one of verbs, 80 columns wide.
var usageInOurWords = strings.NewReplacer(
	"[command]", "VERB", "Available Commands:", "Verbs:", "about a command", "about a verb",
	".FlagUsages ", ".FlagUsagesWrapped 80 ")

// newRoot builds the command line: a verb is a file of its own.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "ctr-rootfs",
		Short: "A container image's root filesystem, as a tar or an OCI bundle",
		Long: `ctr-rootfs turns a container image, as containerd holds it, into its root
filesystem as a filtered tar, or into an OCI runtime bundle (config.json and
rootfs/), without docker.

SOURCE is an image name (pulled when missing), or one of
  oci:DIR[:REF]  oci-archive:FILE[:REF]  docker-archive:FILE[:REF]
  snapshot:KEY  container:ID  pod:[NAMESPACE/]POD[/CONTAINER]
where FILE may be "-" for standard input, and ID may be the beginning of a long
hexadecimal one, or nerdctl's name. What runs is read as it is, and never
written to. What "images" lists is an image name as it stands, in double quotes
where it would be one of these.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("reading the command line: unknown verb %q: see \"ctr-rootfs help\"", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetUsageTemplate(usageInOurWords.Replace(root.UsageTemplate()))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("reading the command line: %w: see %q", err, cmd.CommandPath()+" --help")
	})
	store := newStoreFlags(root.PersistentFlags(), s)
	mode := root.PersistentFlags().String("progress", "auto", "auto, tty, plain, json or quiet, on standard error")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkNames(cmd.Flags()); err != nil {
			return err
		}
		if err := store.check(); err != nil {
			return err
		}
		if err := s.progress.Choose(*mode); err != nil {
			return usageError{err}
		}
		return nil
	}
	root.AddCommand(newExport(s, store), newBundle(s, store), newSpec(s, store), newLs(s, store),
		newImages(s, store), newGC(s, store), newVersion(s), newMan())
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, verb := range root.Commands() {
		switch verb.Name() {
		case "completion":
			verb.Args, verb.RunE = nil, completionOfShell
		case "help":
			verb.RunE = helpOfVerb
		}
	}
	return root
}

// checkNames refuses flags that name nothing: a script's unset variable must not
// send a tar to standard output, or choose another config.json.
func checkNames(flags *pflag.FlagSet) error {
	for _, name := range []string{"config", "metadata-file", "output", "path"} {
		if flag := flags.Lookup(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return usagef("reading --%s %q: it names nothing", name, "")
		}
	}
	return nil
}

// completionOfShell is for a SHELL that has none: each that has one is a verb of
// its own below this one.
func completionOfShell(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return usagef("reading the command line: no completion for %q: see %q", args[0], cmd.CommandPath()+" --help")
}

// helpOfVerb is cobra's own, but that a verb which there is not is an error.
func helpOfVerb(cmd *cobra.Command, args []string) error {
	verb, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usagef("reading the command line: no help for %q: see \"ctr-rootfs help\"", args)
	}
	return verb.Help()
}
