#!/usr/bin/env bash
# ctr images export lists a cosign signature and an index of referrers as docker images.
#
# The manifest.json of the archive is for docker load, and has what it is to load. ctr
# puts every manifest there, without a look at what its config is. Of a signature the
# layer is a JSON text, and the config names no platform. Of an artifact the config is
# `{}`. An index without platforms counts as this host's image, so that the tag of the
# referrers (distribution-spec's fallback for registries without the referrers API) is
# one, too: `sha256-DIGEST`, which is the first referrer.
#
# Seen: containerd and ctr 2.4.2, with --local
#   the image: config with 1 diff_ids, layer a tar
#   its signature: config with 1 diff_ids, layer a JSON text
#   the index of its referrers: config with 0 diff_ids, layer a JSON text
. "$(dirname "$0")/prepare"
gomodule github.com/containerd/containerd/v2/cmd/{containerd,ctr}@v2.4.2
command -v jq >/dev/null || cannot "it needs jq"
daemon one

oci=application/vnd.oci.image
manifest() { # CONFIG LAYER OTHER-MEMBERS
	printf '{"schemaVersion":2,"mediaType":"%s","config":%s},"layers":[%s}]%s}' $oci.manifest.v1+json "$1" "$2" "${3-}" >manifest
	blob manifest $oci.manifest.v1+json
}
sum() { sha256sum <"$1" | cut -d' ' -f1; }

echo x >file
tar -cf layer.tar file
printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(go env GOARCH)" "$(sum layer.tar)" >config
image=$(manifest "$(blob config $oci.config.v1+json)" "$(blob layer.tar $oci.layer.v1.tar)")
digest=$(sum manifest)

# As `cosign sign` of version 2 does it: a tag, and a layer of its own type.
printf '{"critical":{"identity":{"docker-reference":"example.com/a"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' "$digest" >payload
printf '{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(sum payload)" >config
signature=$(manifest "$(blob config $oci.config.v1+json)" "$(blob payload application/vnd.dev.cosign.simplesigning.v1+json)")

# As `oras attach` does it where the registry has no referrers API.
printf '{}' >config
printf '{"bomFormat":"CycloneDX"}' >bom
manifest "$(blob config application/vnd.oci.empty.v1+json)" "$(blob bom application/vnd.cyclonedx+json)" \
	",\"artifactType\":\"application/vnd.cyclonedx+json\",\"subject\":$image}" >artifact
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s,"artifactType":"application/vnd.cyclonedx+json"}]}' $oci.index.v1+json "$(cat artifact)" >index
referrers=$(blob index $oci.index.v1+json)

named() { printf '%s,"annotations":{"io.containerd.image.name":"example.com/a:%s"}}' "$1" "$2"; }
printf '{"schemaVersion":2,"manifests":[%s,%s,%s]}' "$(named "$image" 1)" "$(named "$signature" "sha256-$digest.sig")" "$(named "$referrers" "sha256-$digest")" >layout/index.json
echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
tar -C layout -cf image.tar .
ask one images import --local --no-unpack image.tar >/dev/null || cannot "importing: $(tail -1 one/ctr)"
ask one images export --local out.tar "example.com/a:1" "example.com/a:sha256-$digest.sig" "example.com/a:sha256-$digest" || cannot "exporting: $(tail -1 one/ctr)"

mkdir out
tar -C out -xf out.tar
listed() { # TAG
	local config layer
	config=$(jq -r --arg tag "example.com/a:$1" '.[] | select(.RepoTags == [$tag]) | .Config' out/manifest.json)
	layer=$(jq -r --arg tag "example.com/a:$1" '.[] | select(.RepoTags == [$tag]) | .Layers[0]' out/manifest.json)
	[[ -n $config ]] || { echo "not listed" && return; }
	echo "config with $(jq '.rootfs.diff_ids | length' "out/$config") diff_ids," \
		"layer $(tar -tf "out/$layer" >/dev/null 2>&1 && echo a tar || { jq empty "out/$layer" && echo a JSON text; })"
}
expect "the image" "config with 1 diff_ids, layer a tar" "$(listed 1)"
expect "its signature" "config with 1 diff_ids, layer a JSON text" "$(listed "sha256-$digest.sig")"
expect "the index of its referrers" "config with 0 diff_ids, layer a JSON text" "$(listed "sha256-$digest")"
conclude
