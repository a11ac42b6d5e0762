#!/usr/bin/env bash
# oras cp makes three images of one image of two platforms in an OCI layout.
#
# A layout's index.json has the images of the layout. oras lists the image's index, and
# each manifest that the index refers to, with its platform, without a name. Programs
# that look for the only image, or for the manifest of this platform, find several: skopeo
# opens the original without a tag, and refuses the copy. With a copy of one platform, by
# `--platform`, it is one image.
#
# Seen: oras 1.2.3, skopeo 1.9.3 (Debian 12)
#   the original: index:1; skopeo: an index of 2
#   the copy: index:1 manifest: manifest:; skopeo: more than one image in oci, choose an image
#   a copy of one platform: manifest:1
. "$(dirname "$0")/prepare"
command -v jq >/dev/null || cannot "it needs jq"
gomodule oras.land/oras/cmd/oras@v1.2.3
debian skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 libgpg-error0 libdevmapper1.02.1

oci=application/vnd.oci.image
manifests=
for architecture in amd64 arm64; do
	echo $architecture >file
	tar -cf layer.tar file
	printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		$architecture "$(sha256sum <layer.tar | cut -d' ' -f1)" >config
	printf '{"schemaVersion":2,"mediaType":"%s","config":%s},"layers":[%s}]}' $oci.manifest.v1+json \
		"$(blob config $oci.config.v1+json)" "$(blob layer.tar $oci.layer.v1.tar)" >manifest
	manifests+=${manifests:+,}"$(blob manifest $oci.manifest.v1+json),\"platform\":{\"os\":\"linux\",\"architecture\":\"$architecture\"}}"
done
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' $oci.index.v1+json "$manifests" >index
printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"org.opencontainers.image.ref.name":"1"}}]}' "$(blob index $oci.index.v1+json)" >layout/index.json
echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout

listed() { # LAYOUT
	jq -r '.manifests[] | (.mediaType | split(".")[3]) + ":" + (.annotations["org.opencontainers.image.ref.name"] // "")' "$1/index.json" | xargs
}
opened() { # LAYOUT
	if skopeo inspect --raw "oci:$1" >raw 2>log; then
		echo "an index of $(jq '.manifests | length' raw)"
	else
		grep -o 'more than one image in oci, choose an image' log
	fi
}
oras cp --from-oci-layout layout:1 --to-oci-layout copy:1 >oras.log
oras cp --platform linux/amd64 --from-oci-layout layout:1 --to-oci-layout one:1 >oras.log
expect "the original" "index:1; skopeo: an index of 2" "$(listed layout); skopeo: $(opened layout)"
expect "the copy" "index:1 manifest: manifest:; skopeo: more than one image in oci, choose an image" "$(listed copy); skopeo: $(opened copy)"
expect "a copy of one platform" "manifest:1" "$(listed one)"
conclude
