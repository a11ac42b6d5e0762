#!/usr/bin/env bash
# crane export gives a hard link the content of the file that replaced its target.
#
# Layer 1 has a and its hard link b. Layer 2 replaces a, or deletes it. Unpacked one
# layer upon the other b keeps the old content, as in every container of that image.
# crane goes from the last layer to the first and writes each name's newest entry as it
# is: that of b is "link to a", which now is another file, or none at all. Then
# the archive cannot be unpacked. crane ends with 0 for each.
#
# Seen: crane 0.22.1, GNU tar 1.34
#   a replaced, unpacked layer by layer: a new, b old
#   a replaced, crane's export unpacked: a new, b new
#   a deleted, unpacking crane's export: b: Cannot hard link to 'a': No such file or directory
. "$(dirname "$0")/prepare"
gomodule github.com/google/go-containerregistry/cmd/crane@v0.22.1

mkdir tree
echo old >tree/a
ln tree/a tree/b
tar -C tree -cf lower.tar a b
rm tree/a
echo new >tree/a
tar -C tree -cf replaced.tar a
touch tree/.wh.a
tar -C tree -cf deleted.tar .wh.a

# exported unpacks crane's export of an archive as docker save does of two layers.
exported() { # UPPER-LAYER
	local ids
	ids=$(sha256sum lower.tar "$1" | sed 's/^\([0-9a-f]*\).*/"sha256:\1"/' | paste -sd,)
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$ids" >config.json
	echo '[{"Config":"config.json","RepoTags":["example.com/a:1"],"Layers":["lower.tar","'"$1"'"]}]' >manifest.json
	tar -cf image.tar manifest.json config.json lower.tar "$1"
	crane export - export.tar <image.tar 2>crane.log || cannot "crane: $(tail -1 crane.log)"
	rm -rf out && mkdir out
	tar -C out -xf export.tar 2>&1 || true
}
mkdir layered
for layer in lower replaced; do tar -C layered -xf $layer.tar; done
expect "a replaced, unpacked layer by layer" "a new, b old" "a $(cat layered/a), b $(cat layered/b)"
exported replaced.tar
expect "a replaced, crane's export unpacked" "a new, b new" "a $(cat out/a), b $(cat out/b)"
expect "a deleted, unpacking crane's export" "b: Cannot hard link to 'a': No such file or directory" \
	"$(exported deleted.tar | sed -n '/hard link/s/^tar: //p')"
conclude
