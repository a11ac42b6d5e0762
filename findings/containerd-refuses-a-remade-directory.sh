#!/usr/bin/env bash
# containerd's overlay snapshotter refuses an image that deletes a directory and remakes it.
#
# Layer 1 has d/e/f, layer 2 deletes d, layer 3 has d/e/g, and does not list d/e. For an
# unlisted directory containerd looks in each lower layer for one whose attributes it
# could take. In layer 2 d is a whiteout, a device: looking for d/e below it gives ENOTDIR,
# which ends unpacking; only ENOENT does not. It unpacks where layer 3 lists d/e, and where
# the new file lies directly in d. The native snapshotter unpacks it, too.
#
# Seen: containerd 2.4.2's pkg/archive, used as core/diff/apply uses it for an overlay
#   layer 3 has d/e/g: lstat layer2/d/e: not a directory
#   layer 3 has d/ d/e/g: lstat layer2/d/e: not a directory
#   layer 3 has d/ d/e/ d/e/g: unpacked
#   layer 3 has d/g: unpacked
#   layer 3 has d/e/g, without an overlay: unpacked, d/e/g
. "$(dirname "$0")/prepare"
root
goprogram apply github.com/containerd/containerd/v2/pkg/archive@v2.4.2 <<'END'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/pkg/archive"
)

// Each layer's tar is unpacked into its own directory, or, with "native", all into one.
func main() {
	var lower []string
	for _, layer := range os.Args[2:] {
		dir, options := layer, []archive.ApplyOpt(nil)
		if os.Args[1] == "overlay" {
			options = append(options, archive.WithConvertWhiteout(archive.OverlayConvertWhiteout), archive.WithParents(lower))
		} else {
			dir = "native"
		}
		content, err := os.Open(layer + ".tar")
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err == nil {
			_, err = archive.Apply(context.Background(), dir, content, options...)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		lower = append([]string{dir}, lower...)
	}
	fmt.Println("unpacked")
}
END

# A whiteout device is not made everywhere: a tmpfs takes it.
mkdir disk && mount -t tmpfs tmpfs disk && cd disk
mkdir -p tree/d/e
touch tree/d/e/f tree/d/e/g tree/d/g tree/.wh.d
unpack() { # KIND NAMES-OF-LAYER-3
	local kind=$1
	shift
	rm -rf layer1 layer2 layer3 native
	tar -C tree --no-recursion -cf layer1.tar d/ d/e/ d/e/f
	tar -C tree --no-recursion -cf layer2.tar .wh.d
	tar -C tree --no-recursion -cf layer3.tar "$@"
	apply "$kind" layer1 layer2 layer3
}
expect "layer 3 has d/e/g" "lstat layer2/d/e: not a directory" "$(unpack overlay d/e/g)"
expect "layer 3 has d/ d/e/g" "lstat layer2/d/e: not a directory" "$(unpack overlay d/ d/e/g)"
expect "layer 3 has d/ d/e/ d/e/g" "unpacked" "$(unpack overlay d/ d/e/ d/e/g)"
expect "layer 3 has d/g" "unpacked" "$(unpack overlay d/g)"
expect "without an overlay" "unpacked, d/e/g" "$(unpack native d/e/g), $(cd native && find d -type f)"
conclude
