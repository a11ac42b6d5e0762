package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

func newBundle(s streams, store *storeFlags) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "bundle [flags] SOURCE [-- ARG...]",
		Short: "Write an OCI runtime bundle: config.json and rootfs/",
		Example: `  ctr-rootfs bundle docker.io/library/alpine:3.20 --format dir -o alpine -- /bin/sh -c 'echo hello'
  ctr-rootfs bundle --path app oci-archive:app.tar | tar -x`,
		Args: oneSource(true),
	}
	tree := newTreeFlags(cmd.Flags())
	out := newOutputFlags(cmd.Flags(), s)
	config := newConfigFlags(cmd.Flags())
	cmd.Flags().StringVar(&path, "path", "", "put the bundle below `NAME`/ in the tar")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		if err := checkPrefix("--path", path); err != nil {
			return err
		}
		job := job{store: store, tree: tree, doing: "bundling"}
		if err := hostfile.SettleErr(ctx, func() error { return config.check(ctx, args) }, nil); err != nil {
			return job.hungEarly(args[0], err)
		}
		return job.write(ctx, args[0], out, func(ctx context.Context, o *opened) (export.Tree, error) {
			return bundleTree(ctx, o, config, path)
		})
	}
	return cmd
}

// bundleTree arranges the image's tree as a bundle: config.json, and rootfs/
// with the mount points and the working directory that config.json names.
func bundleTree(ctx context.Context, o *opened, config *configFlags, path string) (export.Tree, error) {
	document, spec, err := config.document(ctx, o)
	if err != nil {
		return nil, err
	}
	var made []export.Made
	for _, point := range ocispec.MountPoints(spec) {
		made = append(made, mountPoint(point, o))
	}
	if cwd := ocispec.WorkingDir(spec); cwd != "" {
		made = append(made, export.Made{Path: cwd, For: forCwd, Type: export.Directory, Mode: 0o755, MTime: o.latest, IfMissing: true})
	}
	return export.Bundle(export.Insert(o.tree, made), document, path, o.latest)
}
