package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// viewHint is for layers that containerd may read, and this program does not.
const viewHint = "use --via view where containerd has unpacked it"

// layerTypeHint knows what becomes of layers that are not tars.
func layerTypeHint(e *snapshot.LayerTypeError) string {
	switch {
	case e.Encrypted():
		return "decrypt it first, or " + viewHint
	case e.ByMerging():
		return "use --via layers"
	case e.Foreign():
		return "if it is an image at all, " + viewHint
	}
	return viewHint
}

// filesystemHint is for what the kernel reads, which a view leaves it to.
func filesystemHint(e *layers.FilesystemError) string {
	if e.Compressed {
		return "convert the image again without --erofs-compressors, or " + viewHint
	}
	return viewHint
}

func contentHint(e *snapshot.ContentError) string {
	if len(e.Others) > 0 {
		return fmt.Sprintf("use --snapshotter %s, or --pull always to pull them again", e.Others[0])
	}
	return "use --pull always to pull them again"
}

// unpackHint knows the filesystem that holds less than Linux does: mkfs.erofs
// says only that something is missing. And it knows that containerd unpacks no
// image of whose config it cannot read all. Whatever else stops an unpacking,
// merging the layers does without it.
func unpackHint(e *snapshot.UnpackError) string {
	var field *json.UnmarshalTypeError
	var date *time.ParseError
	switch {
	case errors.As(e.Err, &field), errors.As(e.Err, &date):
		return "containerd needs the whole config for this: use --via layers"
	case e.Snapshotter == erofsSnapshotter:
		return "a layer may have what mkfs.erofs cannot hold: use another --snapshotter, or --via layers"
	case errors.Is(e, snapshot.ErrLayerUnread):
		return ""
	case errors.Is(e, snapshot.ErrOnOverlay):
		return "use --via layers, or --store DIR on another filesystem"
	}
	return "use --via layers"
}
