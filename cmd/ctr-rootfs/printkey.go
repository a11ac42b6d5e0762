package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// shape is all that the bytes of an export depend on beside the layers. Its
// JSON is what the second half of a key is the digest of: a new field changes
// every key.
type shape struct {
	// Version is this tool's: another may write other bytes.
	Version string
	// Made is the time of what this tool makes itself, in Unix seconds and
	// nanoseconds.
	Made  [2]int64
	Epoch *int64 `json:",omitempty"`
	// Via is how the tree is read, never auto: the two ways may differ.
	Via, Prefix, Format       string
	Compression               string
	NoSameOwner, Reproducible bool
	Profile, Xattrs           string
	Excludes, Includes, Keeps []string
	// Replaced gives each path the digest of its content, in the flags' order.
	Replaced [][2]string
}

// printKey prints what a cache may keep the export under: the same key stands
// for the same bytes where --reproducible is given, and for the same files
// without.
func (j job) printKey(ctx context.Context, source string, out *outputFlags, prefix string) error {
	text, err := hostfile.Settle(ctx, func() ([]byte, error) { return j.key(ctx, source, out, prefix) }, nil)
	if err != nil {
		return j.hungEarly(source, err)
	}
	_, err = files.Stdout(ctx, out.out).Write(text)
	return err
}

// key gives the line that printKey prints.
func (j job) key(ctx context.Context, source string, out *outputFlags, prefix string) ([]byte, error) {
	if err := out.check(); err != nil {
		return nil, err
	}
	req, err := j.request(ctx, source)
	if err != nil {
		return nil, err
	}
	image, via, err := j.store.image(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := j.tree.checkDated(image); err != nil {
		return nil, fmt.Errorf("making a key of %q: %w", source, err)
	}
	shape, err := j.shape(ctx, image.Config.Created)
	if err != nil {
		return nil, err
	}
	shape.Via, shape.Prefix, shape.Format, shape.NoSameOwner = string(via), prefix, out.format, out.noSameOwner
	if out.format == "tar" {
		shape.Compression = out.compression.String()
	}
	text, err := json.Marshal(shape)
	if err != nil {
		return nil, fmt.Errorf("making a key of %q: %w", source, err)
	}
	// An image without layers has no chain ID.
	layers := "none"
	if chain := image.ChainID(); chain != "" {
		layers = chain.Encoded()
	}
	return fmt.Appendf(nil, "%s-%x\n", layers, sha256.Sum256(text)), nil
}

// shape gives what the flags of the tree say.
func (j job) shape(ctx context.Context, created *time.Time) (shape, error) {
	latest := j.tree.latest(created)
	s := shape{
		Version: ownVersion(), Made: [2]int64{latest.Unix(), int64(latest.Nanosecond())},
		Profile: j.tree.profile, Xattrs: j.tree.xattrs, Reproducible: j.tree.reproducible,
		Excludes: j.tree.excludes, Includes: j.tree.includes, Keeps: j.tree.keeps,
	}
	if j.tree.epoch != nil {
		seconds := j.tree.epoch.Unix()
		s.Epoch = &seconds
	}
	for _, made := range j.tree.replacementFiles {
		sum, err := contentOf(ctx, made)
		if err != nil {
			return s, err
		}
		s.Replaced = append(s.Replaced, [2]string{made.Path, sum})
	}
	return s, nil
}

// contentOf gives the digest of a file of --replace.
func contentOf(ctx context.Context, made export.Made) (string, error) {
	body, err := made.Open(ctx)
	if err != nil {
		return "", fmt.Errorf("reading what replaces %q: %w", made.Path, err)
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return "", fmt.Errorf("reading what replaces %q: %w", made.Path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// image finds an image without fetching, unpacking or mounting it, and says how
// its tree would be read.
func (f *storeFlags) image(ctx context.Context, req request) (*snapshot.Image, snapshot.Via, error) {
	if !req.Source.IsImage() {
		return nil, "", usagef("reading --print-key: %q is no image, and may change while it has its name", req.typed)
	}
	if req.Source.InArchive() {
		view, undo, err := f.openArchive(ctx, req.Request)
		if err != nil {
			return nil, "", err
		}
		return view.Image, cmp.Or(req.Via, snapshot.ViaLayers), undo()
	}
	found, err := f.storeOf(ctx, req)
	if err != nil {
		return nil, "", err
	}
	image, err := found.store.Image(ctx, found.request.Request)
	if err == nil {
		found.tell()
	}
	return image, cmp.Or(found.request.Via, snapshot.ViaView), joined(err, found.store.Close())
}
