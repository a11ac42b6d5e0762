package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

func newExport(s streams, store *storeFlags) *cobra.Command {
	var prefix string
	var printKey bool
	cmd := &cobra.Command{
		Use:   "export [flags] SOURCE",
		Short: "Write an image's root filesystem as a filtered tar",
		Example: `  ctr-rootfs export docker.io/library/alpine:3.20 -o alpine.tar
  ctr-rootfs export --prefix rootfs --exclude 'usr/share/doc' oci-archive:app.tar | tar -t`,
		Args: oneSource(false),
	}
	tree := newTreeFlags(cmd.Flags())
	out := newOutputFlags(cmd.Flags(), s)
	cmd.Flags().StringVar(&prefix, "prefix", "", "put every name below `DIR`")
	cmd.Flags().BoolVar(&printKey, "print-key", false, "print a cache key of what would be written, and write nothing: layers and options, of an image only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		if err := checkPrefix("--prefix", prefix); err != nil {
			return err
		}
		job := job{store: store, tree: tree, doing: "exporting"}
		if printKey {
			return job.printKey(ctx, args[0], out, prefix)
		}
		return job.write(ctx, args[0], out, func(_ context.Context, o *opened) (export.Tree, error) {
			return prefixed(o, prefix)
		})
	}
	return cmd
}

// checkPrefix reads flag, which is --prefix or --path, before anything is mounted.
func checkPrefix(flag, prefix string) error {
	if prefix == "" {
		return nil
	}
	if err := export.CheckPrefix(prefix); err != nil {
		return usagef("reading %s %q: %w", flag, prefix, err)
	}
	return nil
}

// prefixed applies --prefix.
func prefixed(o *opened, prefix string) (export.Tree, error) {
	if prefix == "" {
		return o.tree, nil
	}
	return export.Prefix(o.tree, prefix, o.latest)
}
