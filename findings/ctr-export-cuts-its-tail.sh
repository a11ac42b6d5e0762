#!/usr/bin/env bash
# ctr images export ends with 0, and its archive lacks the end.
#
# ctr asks containerd's transfer service to export, which answers over a stream, and
# ends before all of the stream is in the file. What is lost is what comes last:
# manifest.json and index.json, without which no program takes the archive. It happens
# by chance: small images to a file are often cut, those of some megabytes
# seldom, and all to a reader that is slow. `--local`, the older way, is always whole.
#
# Seen: containerd and ctr 2.4.2
#   exit statuses of 30 exports: 0
#   cut off: 8 to 25 (at least one is what is tried)
#   with --local, of 30: 0
. "$(dirname "$0")/prepare"
gomodule github.com/containerd/containerd/v2/cmd/containerd@v2.4.2 github.com/containerd/containerd/v2/cmd/ctr@v2.4.2

daemon one

# An image of one layer of 100 kB, as an OCI layout in a tar.
head -c 100000 /dev/urandom >file
tar -cf layer.tar file
layer=$(blob layer.tar application/vnd.oci.image.layer.v1.tar)
printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(go env GOARCH)" "$(sha256sum <layer.tar | cut -d' ' -f1)" >config
config=$(blob config application/vnd.oci.image.config.v1+json)
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s},"layers":[%s}]}' "$config" "$layer" >manifest
printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"example.com/a:1"}}]}' \
	"$(blob manifest application/vnd.oci.image.manifest.v1+json)" >layout/index.json
echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
tar -C layout -cf image.tar .
ask one images import --local --no-unpack image.tar >/dev/null

# cutoff exports 30 times, and prints how many archives lack index.json.
cutoff() { # FLAG...
	local cut=0
	for _ in $(seq 30); do
		rm -f out.tar
		ask one images export "$@" out.tar example.com/a:1 >/dev/null || cannot "ctr's exit status is $?"
		tar -tf out.tar 2>/dev/null | grep -x index.json >list || cut=$((cut + 1))
	done
	echo "$cut"
}
lost=$(cutoff)
echo "cut off: $lost of 30"
expect "some are cut off" yes "$( ((lost > 0)) && echo yes || echo no)"
expect "with --local, of 30" 0 "$(cutoff --local)"
conclude
