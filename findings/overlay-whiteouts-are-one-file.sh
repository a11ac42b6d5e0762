#!/usr/bin/env bash
# The whiteouts of one overlay mount are hard links of one device.
#
# Since Linux 5.8 overlayfs makes one character device 0:0 in its work directory, and
# links it for each name that is deleted. Two deleted names that have nothing to do
# with each other are one inode, and N of them have N+1 links. A program that reads
# an upper directory and settles hard links before it looks for whiteouts takes the
# second deletion for a link to the first, and loses it.
#
# Seen: Linux 6.18
#   links of each of three whiteouts: 4 4 4
#   inodes: 1
#   the fourth link lies in: scratch/work
. "$(dirname "$0")/prepare"
root

# An overlay cannot lie on every filesystem: a tmpfs takes it everywhere.
mkdir disk && mount -t tmpfs tmpfs disk && cd disk
mkdir lower upper scratch merged
touch lower/one lower/two lower/three
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=scratch overlay merged || cannot "mounting an overlay"
rm merged/one merged/two merged/three
umount merged
expect "links of each of three whiteouts" "4 4 4" "$(stat -c %h upper/one upper/two upper/three | xargs)"
expect "inodes" 1 "$(stat -c %i upper/one upper/two upper/three | sort -u | wc -l)"
expect "the fourth link lies in" "scratch/work" "$(dirname "$(find scratch -type c)" | head -1)"
conclude
