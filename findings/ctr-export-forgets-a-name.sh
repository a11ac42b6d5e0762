#!/usr/bin/env bash
# ctr images export forgets an image's name where a later one's index has its manifest.
#
# app:1 and app:2 are indexes that differ in an annotation, as two builds of one content
# do, and have one manifest. For docker load ctr writes manifest.json, with the names of
# each manifest. An index starts the list of its manifest's names anew: of an archive of
# both, docker has the name that was exported last. Two names of one index, and two of
# one manifest, are both there. index.json has all names in each case.
#
# Seen: containerd and ctr 2.4.2, with --local
#   one index under two names: RepoTags one two; index.json one two
#   one manifest under two names: RepoTags one two; index.json one two
#   two indexes of the manifest: RepoTags two; index.json one two
#   the manifest, then an index of it: RepoTags two; index.json one two
#   the index, then its manifest: RepoTags one two; index.json one two
. "$(dirname "$0")/prepare"
gomodule github.com/containerd/containerd/v2/cmd/{containerd,ctr}@v2.4.2
command -v jq >/dev/null || cannot "it needs jq"
daemon one

oci=application/vnd.oci.image
architecture=$(go env GOARCH)
echo x >file
tar -cf layer.tar file
printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$architecture" "$(sha256sum <layer.tar | cut -d' ' -f1)" >config
printf '{"schemaVersion":2,"mediaType":"%s","config":%s},"layers":[%s}]}' $oci.manifest.v1+json \
	"$(blob config $oci.config.v1+json)" "$(blob layer.tar $oci.layer.v1.tar)" >manifest
manifest=$(blob manifest $oci.manifest.v1+json)
indexed() { # BUILD
	printf '{"schemaVersion":2,"mediaType":"%s","annotations":{"build":"%s"},"manifests":[%s,"platform":{"os":"linux","architecture":"%s"}}]}' \
		$oci.index.v1+json "$1" "$manifest" "$architecture" >index
	blob index $oci.index.v1+json
}
# names exports the names one and two of the two descriptors, and prints those in the archive.
names() { # DESCRIPTOR-OF-ONE DESCRIPTOR-OF-TWO
	printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"example.com/app:one"}},%s,"annotations":{"io.containerd.image.name":"example.com/app:two"}}]}' \
		"$1" "$2" >layout/index.json
	echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
	tar -C layout -cf image.tar .
	rm -f out.tar
	ask one images import --local --no-unpack image.tar >/dev/null || cannot "importing: $(tail -1 one/ctr)"
	ask one images export --local out.tar example.com/app:one example.com/app:two || cannot "exporting: $(tail -1 one/ctr)"
	echo "RepoTags $(tar -xOf out.tar manifest.json | jq -r '.[].RepoTags[]' | sed 's/.*://' | sort | xargs);" \
		"index.json $(tar -xOf out.tar index.json | jq -r '.manifests[].annotations["io.containerd.image.name"]' | sed 's/.*://' | sort | xargs)"
}
both="RepoTags one two; index.json one two"
second="RepoTags two; index.json one two"
expect "one index under two names" "$both" "$(names "$(indexed a)" "$(indexed a)")"
expect "one manifest under two names" "$both" "$(names "$manifest" "$manifest")"
expect "two indexes of the manifest" "$second" "$(names "$(indexed a)" "$(indexed b)")"
expect "the manifest, then an index of it" "$second" "$(names "$manifest" "$(indexed a)")"
expect "the index, then its manifest" "$both" "$(names "$(indexed a)" "$manifest")"
conclude
