package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// outputFlags say where and in which form the data is written.
type outputFlags struct {
	streams
	file        string
	compress    string
	format      string
	noSameOwner bool
	metadata    *metadataFlag

	compression export.Compression
}

func newOutputFlags(flags *pflag.FlagSet, s streams) *outputFlags {
	f := &outputFlags{streams: s, metadata: newMetadataFlag(flags, s)}
	flags.StringVarP(&f.file, "output", "o", "", "`FILE` to write, whole or not at all (default standard output)")
	flags.StringVar(&f.compress, "compress", "auto", "auto (by FILE's ending), none, gzip or zstd, or with a level: gzip:1 to 9, zstd:1 to 22 (four steps: 1, 3, 6, 10)")
	flags.StringVar(&f.format, "format", "tar", "tar, or dir for a new or empty directory")
	flags.BoolVar(&f.noSameOwner, "no-same-owner", false, "with --format dir, let everything belong to who writes it")
	return f
}

func (f *outputFlags) check() error {
	switch {
	case f.format != "tar" && f.format != "dir":
		return usagef("reading --format %q: it is tar or dir", f.format)
	case f.format == "dir" && (f.file == "" || f.file == "-"):
		return usagef("reading --format dir: it needs -o DIR")
	case f.format == "dir" && f.compress != "auto" && f.compress != "none":
		return usagef("reading --compress %q: a directory is not compressed", f.compress)
	case f.format == "tar":
		if err := f.readCompression(); err != nil {
			return err
		}
	}
	return f.metadata.check(f.file)
}

func (f *outputFlags) readCompression() (err error) {
	if f.compress == "auto" {
		if f.compression, err = export.CompressionFor(f.file); err != nil {
			return usagef("reading -o: %w: say --compress none for none", err)
		}
		return nil
	}
	// The package does not know auto, which is to be named where no other is.
	switch format, _, _ := strings.Cut(f.compress, ":"); format {
	case "none", "gzip", "zstd":
	default:
		return usagef("reading --compress %q: it is auto, none, gzip or zstd, with a level as in zstd:9", f.compress)
	}
	if f.compression, err = export.ParseCompression(f.compress); err != nil {
		return usagef("reading --compress %q: %w", f.compress, err)
	}
	return nil
}

// checkSource refuses to replace the archive that is read.
func (f *outputFlags) checkSource(req request) error {
	if !req.Source.InArchive() {
		return nil
	}
	for _, out := range [][2]string{{"-o", f.file}, {"--metadata-file", f.metadata.name}} {
		if out[1] != "-" && files.Same(out[1], req.Source.Name, f.in) {
			return usagef("reading %s %q: it is what %q is read from", out[0], out[1], req.typed)
		}
	}
	return nil
}

// target is an output with the sink that writes to it.
type target struct {
	sink export.Sink
	// finish and discard are called after the sink's Close and Abort.
	finish, discard func() error
	// digest is taken of the stream where somebody wants to know it.
	digest *files.Digested
	// skipped tells what a directory could not hold; nil for a tar.
	skipped func() map[string]int64
	// written says that write was called, which closes or aborts the sink.
	written bool
	// removed counts what discard has removed so far: a directory may hold some hundred
	// thousand files.
	removed func() int64
	// within bounds writing where the sink itself may hang; nil where what it writes
	// to is given up by itself.
	within func(context.Context, func() (export.Report, error)) (export.Report, error)
}

// open makes ready to write, before anything else is done: an output that
// cannot be written is the cheapest error.
func (f *outputFlags) open(ctx context.Context) (*target, error) {
	if f.format == "dir" {
		return openDirectory(f.file, f.noSameOwner)
	}
	out, err := files.Create(ctx, f.file, f.out)
	if err != nil {
		return nil, err
	}
	t := &target{finish: out.Finish, discard: out.Discard, removed: func() int64 { return 0 }}
	var w io.Writer = out
	if f.metadata.wanted() {
		t.digest = files.NewDigested(out)
		w = t.digest
	}
	if t.sink, err = export.NewCompressedTar(w, f.compression); err != nil {
		return nil, joined(err, out.Discard())
	}
	return t, nil
}

// described says what was written to t.
func (f *outputFlags) described(t *target) metadataOutput {
	m := metadataOutput{File: f.file, Format: f.format}
	if f.file == "" {
		m.File = "-"
	}
	if t.digest != nil {
		m.Size, m.SHA256 = t.digest.Size(), t.digest.Sum()
	}
	return m
}

// write writes tree; what it wrote stands when it is finished, and goes when it
// is abandoned. sink is t's own, or one around it.
func (t *target) write(ctx context.Context, tree export.Tree, sink export.Sink) (export.Report, error) {
	t.written = true
	write := func() (export.Report, error) { return export.Write(ctx, tree, sink) }
	if t.within == nil {
		return write()
	}
	return t.within(ctx, write)
}

// complete makes the output appear.
func (t *target) complete(ctx context.Context) error {
	err := hostfile.SettleErr(ctx, t.finish, nil)
	if hostfile.AsHung(err) != nil {
		return joined(fmt.Errorf("finishing the output: %w", err), hostfile.SettleErr(ctx, t.discard, nil))
	}
	return err
}

// discardGrace is how long removing one name may take once the work is to end: that of
// a large file takes seconds on a slow disk.
const discardGrace = 10 * time.Second

// abandon leaves nothing of the output, unless that hangs. It takes as long as it gets on.
func (t *target) abandon(ctx context.Context) error {
	_, err := hostfile.SettleWhile(ctx, discardGrace, t.removed, func() (struct{}, error) {
		if t.written {
			return struct{}{}, t.discard() // Write closed the sink, or aborted it
		}
		return struct{}{}, joined(t.sink.Abort(), t.discard())
	}, nil)
	if hostfile.AsHung(err) != nil {
		return fmt.Errorf("discarding the output: %w", err)
	}
	return err
}
