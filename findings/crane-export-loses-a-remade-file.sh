#!/usr/bin/env bash
# crane export loses a file whose layer has its whiteout first.
#
# image-spec's layer.md: a whiteout hides what lower layers have, and nothing of its
# own layer. A layer that removes a file and makes it anew may say both, the whiteout
# first. containerd, docker, podman and umoci then have the new file; crane has none.
# With the new file first crane has it.
#
# Seen: crane 0.22.1
#   whiteout first: d
#   file first: d d/f
. "$(dirname "$0")/prepare"
gomodule github.com/google/go-containerregistry/cmd/crane@v0.22.1

mkdir -p lower/d upper/d
echo old >lower/d/f
echo new >upper/d/f
touch upper/d/.wh.f
tar -C lower -cf lower.tar d

# exported makes an archive as docker save does of two layers, and lists crane's export.
exported() { # NAMES-OF-THE-UPPER-LAYER
	tar -C upper --no-recursion -cf upper.tar "$@"
	local ids
	ids=$(sha256sum lower.tar upper.tar | sed 's/^\([0-9a-f]*\).*/"sha256:\1"/' | paste -sd,)
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$ids" >config.json
	echo '[{"Config":"config.json","RepoTags":["example.com/a:1"],"Layers":["lower.tar","upper.tar"]}]' >manifest.json
	tar -cf image.tar manifest.json config.json lower.tar upper.tar
	crane export - - <image.tar | tar -t | sed 's|/$||' | xargs
}
expect "whiteout first" "d" "$(exported d/.wh.f d/f)"
expect "file first" "d d/f" "$(exported d/f d/.wh.f | tr ' ' '\n' | sort | xargs)"
conclude
