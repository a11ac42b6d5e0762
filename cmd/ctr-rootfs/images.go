package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

func newImages(s streams, store *storeFlags) *cobra.Command {
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "images [flags]",
		Short: "List what can be exported from the store",
		Long: `List what can be exported from the store, a platform of an image a line. A name
can be given back as SOURCE as it stands: it is in double quotes where it would
be read as something else. So can a JSON string of --json, with its quotes.`,
		Example: `  ctr-rootfs images --namespace k8s.io
  ctr-rootfs images --json`,
		Args: noArguments,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "names only")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := store.limited(cmd.Context())
		defer cancel()
		if quiet && asJSON {
			return usagef("reading --quiet: --json is another form of the list")
		}
		write := writeTable
		switch {
		case quiet:
			write = writeNames
		case asJSON:
			write = writeJSON
		}
		images, err := hostfile.Settle(ctx, func() ([]snapshot.ImageInfo, error) {
			opened, err := store.connect(ctx)
			if err != nil {
				return nil, err
			}
			images, err := opened.Images(ctx)
			return images, joined(err, opened.Close())
		}, nil)
		if err != nil && len(images) == 0 {
			return err
		}
		// What could be read is listed beside the errors of the rest.
		var text bytes.Buffer
		if err := write(&text, images); err != nil {
			return fmt.Errorf("listing images: %w", err)
		}
		_, writeErr := files.Stdout(ctx, s.out).Write(text.Bytes())
		return joined(err, writeErr)
	}
	return cmd
}

// sourceOf gives the SOURCE that stands for a listed image: its name, which may be
// any text, in quotes where it would be taken for something else.
func sourceOf(image snapshot.ImageInfo) string {
	return snapshot.Source{Kind: snapshot.ImageName, Name: image.Name}.String()
}

// writeNames writes each name once, though it may have several platforms.
func writeNames(w io.Writer, images []snapshot.ImageInfo) error {
	for i, image := range images {
		if i > 0 && images[i-1].Name == image.Name {
			continue
		}
		if _, err := fmt.Fprintln(w, sourceOf(image)); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, images []snapshot.ImageInfo) error {
	encoder := json.NewEncoder(w)
	for _, image := range images {
		if err := encoder.Encode(image); err != nil {
			return err
		}
	}
	return nil
}

func writeTable(w io.Writer, images []snapshot.ImageInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tPLATFORM\tUNPACKED\tLAYERS")
	for _, image := range images {
		unpacked := strings.Join(image.Unpacked, ",")
		if unpacked == "" {
			unpacked = "no"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", sourceOf(image), quotedIfNeeded(image.Platform), unpacked, image.Layers)
	}
	return table.Flush()
}
