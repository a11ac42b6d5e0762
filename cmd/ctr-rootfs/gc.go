package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

func newGC(s streams, store *storeFlags) *cobra.Command {
	var images bool
	cmd := &cobra.Command{
		Use:   "gc [flags]",
		Short: "Remove what a crashed run left",
		Long: `Remove what a crashed run left: mounts, views and leases with this tool's
label; a container that it held still goes on. What a living run holds stays;
what a run in another pid namespace holds goes when its lease has expired.`,
		Example: `  ctr-rootfs gc --namespace k8s.io
  ctr-rootfs gc --store ./store --images`,
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&images, "images", false, "also remove the images of the embedded store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		return hostfile.SettleErr(ctx, func() error {
			if err := checkImages(store, images); err != nil {
				return err
			}
			opened, err := store.connect(ctx)
			if err != nil {
				return err
			}
			return joined(collect(ctx, opened, s, images), opened.Close())
		}, nil)
	}
	return cmd
}

// checkImages refuses to empty what is not this tool's.
func checkImages(store *storeFlags, images bool) error {
	location, err := store.locateStore()
	if err != nil {
		return err
	}
	if images && location.Dir == "" {
		return usagef("reading --images: those of a daemon are not ctr-rootfs's")
	}
	return nil
}

// collector is what collect asks of a snapshot.Store.
type collector interface {
	Collect(ctx context.Context) (snapshot.Collected, error)
	RemoveImages(ctx context.Context) ([]string, error)
}

// collect says what was removed, also where something else could not be.
func collect(ctx context.Context, store collector, s streams, images bool) error {
	c, err := store.Collect(ctx)
	if n := len(c.Removed); n > 0 || err == nil {
		s.notice(fmt.Sprintf("removed what %d crashed runs left", n))
	}
	if n := len(c.Living); n > 0 {
		s.notice(fmt.Sprintf("kept what %d living runs hold", n))
	}
	if n := len(c.Unknown); n > 0 {
		s.notice(fmt.Sprintf("kept what %d runs in other pid namespaces hold, until their leases expire", n))
	}
	if !images || ctx.Err() != nil {
		return err
	}
	names, imagesErr := store.RemoveImages(ctx)
	if n := len(names); n > 0 || imagesErr == nil {
		s.notice(fmt.Sprintf("removed %d images", n))
	}
	return joined(err, imagesErr)
}
