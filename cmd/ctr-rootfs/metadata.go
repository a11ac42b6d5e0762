package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
)

// metadata is what --metadata-file says of a finished export.
type metadata struct {
	Source      string            `json:"source"`
	Container   string            `json:"container,omitempty"`
	Image       string            `json:"image"`
	Digest      string            `json:"digest"`
	Platform    string            `json:"platform"`
	ChainID     string            `json:"chainID"`
	Snapshotter string            `json:"snapshotter,omitempty"`
	Via         string            `json:"via"`
	Layers      *layers.Report    `json:"layers,omitempty"`
	Entries     export.Report     `json:"entries"`
	Output      metadataOutput    `json:"output"`
	LeftOut     []metadataLeftOut `json:"leftOut"`
	Doubts      []metadataDoubt   `json:"doubts,omitempty"`
	Unmatched   []string          `json:"unmatchedPatterns,omitempty"`
	// Unkept are the values of --keep with which the profile has nothing to do.
	Unkept []string `json:"unmatchedKeeps,omitempty"`
	// givenAs holds, for some of Unmatched and Unkept, the path to give instead.
	givenAs map[string]string
	// Changed names the first of the Changes that others made meanwhile.
	Changed []metadataChange `json:"changed,omitempty"`
	Changes int64            `json:"changes,omitempty"`
	Seconds float64          `json:"seconds"`
}

// metadataOutput describes what was written. A directory has no size and no
// digest of its own.
type metadataOutput struct {
	File   string `json:"file"`
	Format string `json:"format"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// metadataLeftOut is a path, an entry of the config, or a number of things, that the
// image has and the output does not. A path that is not UTF-8 stands in base64 under
// its second key, as in ls --json.
type metadataLeftOut struct {
	Path      string `json:"path,omitempty"`
	PathBytes []byte `json:"pathBytes,omitempty"`
	// Config is a field of the image's config with one of its entries: Env "A".
	Config string `json:"config,omitempty"`
	Count  int64  `json:"count"`
	Why    string `json:"why"`
	// Asked says that the user's own flags did it.
	Asked bool `json:"asked"`
}

// String is a line for people.
func (l metadataLeftOut) String() string {
	switch {
	case l.Path != "":
		return fmt.Sprintf("left out %q: %s", l.Path, l.Why)
	case l.Config != "":
		return fmt.Sprintf("left out of config.json: %s: %s", l.Config, l.Why)
	}
	return fmt.Sprintf("left out %d: %s", l.Count, l.Why)
}

// leftOutPath says why one path was left out.
func leftOutPath(path, why string, asked bool) metadataLeftOut {
	return metadataLeftOut{Path: path, PathBytes: ifNoText(path), Count: 1, Why: why, Asked: asked}
}

// metadataChange is an export.Change, with its path as metadataLeftOut has it.
type metadataChange struct {
	Path      string     `json:"path"`
	PathBytes []byte     `json:"pathBytes,omitempty"`
	Why       export.Why `json:"why"`
}

// String is a line for people.
func (c metadataChange) String() string { return export.Change{Path: c.Path, Why: c.Why}.String() }

func changesForJSON(named []export.Change) (changes []metadataChange) {
	for _, c := range named {
		changes = append(changes, metadataChange{Path: c.Path, PathBytes: ifNoText(c.Path), Why: c.Why})
	}
	return changes
}

// metadataFlag is --metadata-file.
type metadataFlag struct {
	streams
	name    string
	started time.Time
	file    files.Output
}

func newMetadataFlag(flags *pflag.FlagSet, s streams) *metadataFlag {
	f := &metadataFlag{streams: s, started: time.Now()}
	flags.StringVar(&f.name, "metadata-file", "", "write what was exported, as JSON, to `FILE` (last)")
	return f
}

// wanted says whether the digest of the output has to be taken.
func (f *metadataFlag) wanted() bool { return f.name != "" }

// check refuses a place that is the data's.
func (f *metadataFlag) check(output string) error {
	if !f.wanted() {
		return nil
	}
	if f.name == "-" {
		return usagef("reading --metadata-file -: standard output is for data: name a file")
	}
	overlap, err := files.Overlap(f.name, output, f.out)
	if err != nil {
		return fmt.Errorf("comparing --metadata-file %q with -o %q: %w", f.name, output, err)
	}
	if overlap && (output == "" || output == "-") {
		return usagef("reading --metadata-file %q: it is where standard output goes", f.name)
	}
	if overlap {
		return usagef("reading --metadata-file %q: it is what -o %q writes", f.name, output)
	}
	return nil
}

// open makes sure that the file can be written before anything else is done.
func (f *metadataFlag) open(ctx context.Context) (err error) {
	if f.wanted() {
		f.file, err = files.Create(ctx, f.name, f.out)
	}
	return err
}

// write writes the file; it is whole or not there.
func (f *metadataFlag) write(ctx context.Context, m metadata) error {
	if f.file == nil {
		return nil
	}
	m.Seconds = time.Since(f.started).Seconds()
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing metadata: %w", err)
	}
	file := f.file
	f.file = nil
	err = hostfile.SettleErr(ctx, func() error {
		if _, err := file.Write(append(text, '\n')); err != nil {
			return errors.Join(err, file.Discard())
		}
		return file.Finish()
	}, nil)
	if hostfile.AsHung(err) != nil {
		err = joined(err, hostfile.SettleErr(ctx, file.Discard, nil))
	}
	return err
}

// abandon leaves no file where write was not called.
func (f *metadataFlag) abandon(ctx context.Context) error {
	if f.file == nil {
		return nil
	}
	return hostfile.SettleErr(ctx, f.file.Discard, nil)
}

// describe gives what there is to say of an export but for its output.
func describe(ctx context.Context, o *opened, r export.Report, t *target) metadata {
	image := o.view.Image
	m := metadata{
		Source:      o.source,
		Image:       image.Name,
		Digest:      image.Manifest.Digest.String(),
		Platform:    image.PlatformText(),
		ChainID:     image.ChainID().String(),
		Snapshotter: o.view.Snapshotter,
		Via:         string(o.view.Via),
		Entries:     r,
		LeftOut:     listed(unwanted(o), foreign(o), unholdable(r, t), unfit(o)),
		Doubts:      o.tree.openDirs.doubts(),
		Unmatched:   o.tree.filter.Unmatched(),
		Unkept:      o.tree.unkept,
		givenAs:     o.tree.givenAs(ctx),
	}
	if o.base.layers != nil {
		read := o.base.layers.Report()
		m.Layers = &read
	}
	if o.view.Container != nil {
		m.Container = o.view.Container.ID
	}
	if o.base.changes != nil {
		var named []export.Change
		named, m.Changes = o.base.changes()
		m.Changed = changesForJSON(named)
	}
	return m
}

// name is what was exported, for people.
func (m metadata) name() string {
	if m.Image == "" || m.Container != "" {
		return m.Source
	}
	return m.Image
}

// instead completes the warning about a pattern or a --keep.
func (m metadata) instead(given string) string {
	if path := m.givenAs[given]; path != "" {
		return fmt.Sprintf(": it leads through a symlink: give %q", path)
	}
	return ""
}

// listed puts lists together: one of nothing is [] in JSON, where null would
// be no list.
func listed(lists ...[]metadataLeftOut) []metadataLeftOut {
	return append([]metadataLeftOut{}, slices.Concat(lists...)...)
}

// unwanted is what the flags left out.
func unwanted(o *opened) []metadataLeftOut {
	var left []metadataLeftOut
	for _, path := range o.tree.omission.Omitted() {
		left = append(left, leftOutPath(path, "the profile moby does not have it", true))
	}
	if n := o.tree.filter.Excluded(); n > 0 {
		left = append(left, metadataLeftOut{Count: n, Why: "excluded, or not included", Asked: true})
	}
	if n := o.tree.xattrs.LeftOut(); n > 0 {
		left = append(left, metadataLeftOut{Count: n, Why: "extended attributes of the host or of overlayfs, by --xattrs default", Asked: true})
	}
	return left
}

// foreign is what the snapshotter's filesystem has of its own, and what no
// filesystem would have of the image.
func foreign(o *opened) []metadataLeftOut {
	var left []metadataLeftOut
	for _, path := range o.view.Foreign {
		left = append(left, leftOutPath(path, "the snapshotter's filesystem has it of its own", false))
	}
	if o.base.layers == nil {
		return left
	}
	if n := o.base.layers.Report().Xattrs; n > 0 {
		left = append(left, metadataLeftOut{Count: n, Why: "extended attributes that no Linux filesystem takes, or in records that containerd does not read"})
	}
	return left
}

// unholdable is what the output's format, or its writer's rights, have no
// room for.
func unholdable(r export.Report, t *target) []metadataLeftOut {
	var left []metadataLeftOut
	for _, path := range r.Sockets {
		left = append(left, leftOutPath(path, "a socket, which no archive holds", false))
	}
	if more := r.SocketCount - int64(len(r.Sockets)); more > 0 {
		left = append(left, metadataLeftOut{Count: more, Why: "further sockets, which no archive holds"})
	}
	if t == nil || t.skipped == nil {
		return left
	}
	skipped := t.skipped()
	for _, what := range slices.Sorted(maps.Keys(skipped)) {
		left = append(left, metadataLeftOut{Count: skipped[what], Why: what + ", which this user may not set"})
	}
	return left
}
