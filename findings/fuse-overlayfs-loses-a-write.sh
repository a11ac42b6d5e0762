#!/usr/bin/env bash
# fuse-overlayfs: what is written to a file of two names is gone after the mount.
#
# The lower directory has a file of two names. Writing to the one copies the file up,
# once, under the name of the other. While the mount stands both names are one file
# and have the new content. Mounted again, with the same directories, neither has it,
# though it lies in the upper directory. The kernel's overlay parts the two names when
# the one is written to, and keeps what was written.
#
# Seen: fuse-overlayfs 1.10 (Debian 12), Linux 6.18
#   names with the new content, in the mount: 2
#   names with the new content, mounted again: 0
#   files with it in the upper directory: 1
#   by the kernel's overlay: 1, 1, 1
. "$(dirname "$0")/prepare"
root
[[ -e /dev/fuse ]] || cannot "it needs /dev/fuse"
debian fuse-overlayfs=1.10-1 libfuse3-3

options=lowerdir=lower,upperdir=upper,workdir=scratch
fuse() { fuse-overlayfs -o $options merged >/dev/null 2>&1 || cannot "mounting fuse-overlayfs"; }
kernel() { mount -t overlay -o $options overlay merged || cannot "mounting an overlay"; }
having() { cat "$1/one" "$1/two" 2>/dev/null | grep -ac new || true; }
# A tmpfs can be the upper directory of an overlay everywhere.
mkdir disk && mount -t tmpfs tmpfs disk && cd disk
mkdir merged
for by in fuse kernel; do
	rm -rf lower upper scratch && mkdir lower upper scratch
	echo old >lower/one
	ln lower/one lower/two
	$by
	echo new >>merged/one
	in_mount=$(having merged)
	umount merged
	$by
	again=$(having merged)
	umount merged
	eval "$by='$in_mount, $again, $(having upper)'"
done
expect "names with the new content in the mount, mounted again, in the upper directory" "2, 0, 1" "$fuse"
expect "by the kernel's overlay" "1, 1, 1" "$kernel"
conclude
