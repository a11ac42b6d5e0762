#!/usr/bin/env bash
# mksquashfs -e NAME leaves out every name of the file, wherever it stands.
#
# Without -wildcards an excluded file is remembered by its device and inode number,
# so a hard link of it in another directory, which nobody excluded, is missing too.
# With -wildcards (or -ef FILE -wildcards) only the name goes.
#
# Seen: mksquashfs 4.5.1 (Debian 12)
#   -e docs/licence: docs, docs/other, usr
#   -wildcards -e docs/licence: docs, docs/other, usr, usr/licence
. "$(dirname "$0")/prepare"
debian squashfs-tools=1:4.5.1-1 liblzo2-2 liblz4-1

mkdir -p root/docs root/usr
echo text >root/docs/licence
echo other >root/docs/other
ln root/docs/licence root/usr/licence
names() { unsquashfs -ls "$1" | sed -n 's|^squashfs-root/||p' | paste -sd, | sed 's/,/, /g'; }
mksquashfs root plain.squashfs -quiet -no-progress -e docs/licence >/dev/null
expect "-e docs/licence" "docs, docs/other, usr" "$(names plain.squashfs)"
mksquashfs root wildcards.squashfs -quiet -no-progress -wildcards -e docs/licence >/dev/null
expect "-wildcards -e docs/licence" "docs, docs/other, usr, usr/licence" "$(names wildcards.squashfs)"
conclude
