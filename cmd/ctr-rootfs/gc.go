package main

import (
	"context"
	"fmt"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
	"github.com/spf13/cobra"
)

func newGC(s streams, store *storeFlags) *cobra.Command {
	var images bool
	cmd := &cobra.Command{
		Use:   "gc [flags]",
		Short: "Remove what a crashed run left",
		Long: `Remove what a crashed run left: mounts, views and leases with this tool's
label. What a living run holds stays; what a run in another pid namespace holds
goes when its lease has expired.`,
		Example: `  ctr-rootfs gc --namespace k8s.io
  ctr-rootfs gc --store ./store --images`,
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&images, "images", false, "also remove the images of the embedded store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		opened, err := store.connect(ctx)
		if err != nil {
			return err
		}
		return joined(collect(ctx, opened, s, images), opened.Close())
	}
	return cmd
}

func collect(ctx context.Context, store *snapshot.Store, s streams, images bool) error {
	if images {
		names, err := store.RemoveImages(ctx)
		if err != nil {
			return err
		}
		s.notice(fmt.Sprintf("removed %d images", len(names)))
	}
	c, err := store.Collect(ctx)
	s.notice(fmt.Sprintf("removed what %d crashed runs left", len(c.Removed)))
	if n := len(c.Living); n > 0 {
		s.notice(fmt.Sprintf("kept what %d living runs hold", n))
	}
	if n := len(c.Unknown); n > 0 {
		s.notice(fmt.Sprintf("kept what %d runs in other pid namespaces hold, until their leases expire", n))
	}
	return err
}
