package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newSpec(s streams, store *storeFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spec [flags] SOURCE [-- ARG...]",
		Short: "Print the config.json that bundle would write",
		Example: `  ctr-rootfs spec docker.io/library/alpine:3.20
  ctr-rootfs spec --read-only --cap-drop ALL oci-archive:app.tar -- /bin/app --once`,
		Args: oneSource(true),
	}
	tree := newTreeFlags(cmd.Flags())
	config := newConfigFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := config.check(args[1:]); err != nil {
			return err
		}
		job := job{store: store, tree: tree}
		return job.read(cmd.Context(), args[0], func(ctx context.Context, o *opened) error {
			text, _, err := config.document(ctx, o)
			if err != nil {
				return err
			}
			_, err = s.out.Write(text)
			return writingStdout(err)
		})
	}
	return cmd
}
