package main

import (
	"bufio"
	"context"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

func newLs(s streams, store *storeFlags) *cobra.Command {
	var prefix string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls [flags] SOURCE",
		Short: "List what export would write, an entry a line",
		Example: `  ctr-rootfs ls docker.io/library/alpine:3.20
  ctr-rootfs ls --json --include etc oci-archive:app.tar`,
		Args: oneSource(false),
	}
	tree := newTreeFlags(cmd.Flags())
	cmd.Flags().StringVar(&prefix, "prefix", "", "put every name below `DIR`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line, with the extended attributes")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		if err := checkPrefix("--prefix", prefix); err != nil {
			return err
		}
		format := lsLine
		if asJSON {
			format = lsJSON
		}
		job := job{store: store, tree: tree, doing: "listing"}
		return job.read(ctx, args[0], func(ctx context.Context, o *opened) error {
			shown, err := prefixed(o, prefix)
			if err != nil {
				return err
			}
			report, err := list(ctx, shown, s, format)
			if err != nil {
				return err
			}
			done := describe(ctx, o, report, nil)
			warnOf(s, done)
			return tree.live.judge(done)
		})
	}
	return cmd
}

// list writes a line for each record; format appends it, without its end.
func list(ctx context.Context, tree export.Tree, s streams, format func([]byte, *export.Record) ([]byte, error)) (export.Report, error) {
	out := bufio.NewWriter(files.Stdout(ctx, s.out))
	var line []byte
	report, err := export.List(ctx, tree, func(r *export.Record) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		if line, err = format(line[:0], r); err != nil {
			return err
		}
		_, err = out.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return report, err
	}
	return report, out.Flush()
}
