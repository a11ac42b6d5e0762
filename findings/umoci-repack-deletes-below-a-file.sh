#!/usr/bin/env bash
# umoci repack writes whiteouts below a file, and containerd refuses such a layer.
#
# A directory d with a file d/f is replaced by a file d. The new layer has d,
# and then d/.wh.f, which deletes what d had, though d is a file by then, which hides all
# of it anyway. umoci unpacks its own layer. containerd looks for the directory of the
# whiteout, finds a file, and unpacks no image with such a layer.
#
# Seen: umoci 0.4.7 (Debian 12; 0.6.0 does the same), containerd 2.4.2's pkg/archive
#   the layer: . d d/.wh.f
#   umoci unpack: regular file
#   containerd, the layer below: unpacked
#   containerd, the layer: mkparent layer/d: not a directory
. "$(dirname "$0")/prepare"
root
command -v jq >/dev/null || cannot "it needs jq"
debian umoci=0.4.7+ds-3+b7
goprogram apply github.com/containerd/containerd/v2/pkg/archive@v2.4.2 <<'END'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/pkg/archive"
)

func main() {
	if _, err := archive.Apply(context.Background(), os.Args[1], os.Stdin); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("unpacked")
}
END

repack() { # TAG BUNDLE
	umoci repack --image "image:$1" "$2" >log 2>&1 || cannot "umoci repack: $(tail -1 log)"
}
unpack() { # TAG BUNDLE
	umoci unpack --image "image:$1" "$2" >log 2>&1 || cannot "umoci unpack: $(tail -1 log)"
}
umoci init --layout image >log 2>&1
umoci new --image image:a >log 2>&1
unpack a one
mkdir one/rootfs/d
echo x >one/rootfs/d/f
repack a one
unpack a two
rm -r two/rootfs/d
echo x >two/rootfs/d
repack b two
unpack b three

blob_of() { echo "image/blobs/${1/://}"; }
manifest=$(blob_of "$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "b").digest' image/index.json)")
layers=()
for digest in $(jq -r '.layers[].digest' "$manifest"); do layers+=("$(blob_of "$digest")"); done
expect "the layer" ". d d/.wh.f" "$(gzip -dc "${layers[1]}" | tar -t | xargs)"
expect "umoci unpack" "regular file" "$(stat -c %F three/rootfs/d)"
mkdir layer
expect "containerd, the layer below" "unpacked" "$(gzip -dc "${layers[0]}" | apply layer)"
expect "containerd, the layer" "mkparent layer/d: not a directory" "$(gzip -dc "${layers[1]}" | apply layer)"
conclude
