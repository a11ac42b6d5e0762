#!/usr/bin/env bash
# crane index append gives ordinary images the type of an artifact.
#
# In an index `artifactType` is for what is no image (image-spec, descriptor.md), as a
# reader may pass over. crane index append sets it for all that it appends: where the
# manifest has no artifactType, to the media type of its config. So each image of such an
# index is called an artifact whose type is that of an image's config.
#
# Seen: crane 0.22.1
#   artifactType of the manifest itself: none
#   artifactType in the index: application/vnd.oci.image.config.v1+json
#   platform in the index: linux/amd64
. "$(dirname "$0")/prepare"
command -v jq >/dev/null || cannot "it needs jq"
gomodule github.com/google/go-containerregistry/cmd/crane@v0.22.1

crane registry serve --address 127.0.0.1:0 2>registry.log &
started+=($!)
for _ in $(seq 100); do grep -q 'serving on port' registry.log && break || sleep 0.1; done
repository=127.0.0.1:$(sed -n 's/.*serving on port //p' registry.log)/a
echo x >file
tar -cf layer.tar file
crane append --oci-empty-base --new_layer layer.tar --new_tag "$repository:image" >/dev/null 2>crane.log
crane mutate --set-platform linux/amd64 --tag "$repository:image" "$repository:image" >/dev/null 2>crane.log
crane index append --manifest "$repository:image" --tag "$repository:index" >/dev/null 2>crane.log
expect "artifactType of the manifest itself" none "$(crane manifest "$repository:image" | jq -r '.artifactType // "none"')"
crane manifest "$repository:index" >index
expect "artifactType in the index" application/vnd.oci.image.config.v1+json "$(jq -r '.manifests[].artifactType' index)"
expect "platform in the index" linux/amd64 "$(jq -r '.manifests[].platform | .os + "/" + .architecture' index)"
conclude
