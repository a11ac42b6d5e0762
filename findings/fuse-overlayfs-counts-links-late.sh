#!/usr/bin/env bash
# fuse-overlayfs: a file has as many hard links as names were read so far.
#
# The first name of a file of three has st_nlink 1, the second 2, the third 3, and
# then the first has 3 as well. A program that remembers inodes only where st_nlink is
# over 1, as tar, cp and find do, takes the first name for a file of its own.
#
# Seen: fuse-overlayfs 1.10 (Debian 12), GNU tar 1.34, coreutils 9.1, Linux 6.18
#   st_nlink of three names, one after the other: 1 2 3
#   the first time, find -links +1 lists: b/y/two c/z/three
#   inodes of what cp -a makes of it: 2
#   the same of the kernel's overlay: 3 3 3, all three, 1
. "$(dirname "$0")/prepare"
root
[[ -e /dev/fuse ]] || cannot "it needs /dev/fuse"
debian fuse-overlayfs=1.10-1 libfuse3-3

mkdir -p lower/a/x lower/b/y lower/c/z upper merged
echo text >lower/a/x/one
ln lower/a/x/one lower/b/y/two
ln lower/a/x/one lower/c/z/three
fuse() { fuse-overlayfs -o lowerdir=upper:lower merged >/dev/null 2>&1 || cannot "mounting fuse-overlayfs"; }
kernel() { mount -t overlay -o lowerdir=upper:lower overlay merged || cannot "mounting an overlay"; }
# Each looks at a mount that nobody has read before.
first() { # fuse|kernel COMMAND
	$1
	(cd merged && eval "$2") | xargs
	umount merged
}
counts="stat -c %h a/x/one b/y/two c/z/three"
linked="find a b c -type f -links +1"
copied="cp -a . ../copy && find ../copy -type f -printf '%i\n' | sort -u | wc -l; rm -r ../copy"

expect "st_nlink of three names, one after the other" "1 2 3" "$(first fuse "$counts")"
expect "find -links +1 lists" "b/y/two c/z/three" "$(first fuse "$linked")"
expect "inodes of what cp -a makes of it" 2 "$(first fuse "$copied")"
expect "st_nlink by the kernel's overlay" "3 3 3" "$(first kernel "$counts")"
expect "find by the kernel's overlay" "a/x/one b/y/two c/z/three" "$(first kernel "$linked")"
expect "inodes by the kernel's overlay" 1 "$(first kernel "$copied")"
conclude
