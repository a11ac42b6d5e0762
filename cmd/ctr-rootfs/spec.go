package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

func newSpec(s streams, store *storeFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spec [flags] SOURCE [-- ARG...]",
		Short: "Print the config.json that bundle would write",
		Example: `  ctr-rootfs spec docker.io/library/alpine:3.20
  ctr-rootfs spec --read-only --cap-drop ALL oci-archive:app.tar -- /bin/app --once`,
		Args: oneSource(true),
	}
	tree := newLookupFlags(cmd.Flags())
	config := newConfigFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		job := job{store: store, tree: tree, doing: "making config.json of"}
		if err := hostfile.SettleErr(ctx, func() error { return config.check(ctx, args) }, nil); err != nil {
			return job.hungEarly(args[0], err)
		}
		return job.read(ctx, args[0], func(ctx context.Context, o *opened) error {
			text, err := hostfile.Settle(ctx, func() ([]byte, error) {
				text, _, err := config.document(ctx, o)
				return text, err
			}, nil)
			if err != nil {
				return err
			}
			warnOf(s, metadata{LeftOut: unfit(o)})
			_, err = files.Stdout(ctx, s.out).Write(text)
			return err
		})
	}
	return cmd
}
