#!/usr/bin/env bash
# BusyBox's cpio writes a symlink of two names with an empty target.
#
# It gives the content to one name of an inode and none to the others, which is right
# for files. A symlink's content is its target, and each name needs its own: the others
# are symlinks to nothing, which GNU cpio does not make. Hard links of symlinks are in
# real packages, and BusyBox's cpio is what small systems make their initramfs with.
#
# Seen: BusyBox 1.35.0, GNU cpio 2.13 (Debian 12)
#   exit status of BusyBox: 0
#   targets by GNU cpio's listing: "" and "target"
#   names that GNU cpio unpacks, of two: 1
. "$(dirname "$0")/prepare"
debian busybox-static=1:1.35.0-4+deb12u1+b1 cpio=2.13+dfsg-7.1

mkdir files && ln -s target files/first && ln -P files/first files/second
status=0
(cd files && printf 'first\nsecond\n' | busybox cpio -o -H newc >../archive.cpio 2>/dev/null) || status=$?
expect "exit status of BusyBox" 0 "$status"
targets=$(cpio --quiet -tv <archive.cpio | sed -n 's/.* -> \?//p' | sort)
expect "targets by GNU cpio's listing" "
target" "$targets"
mkdir unpacked
(cd unpacked && cpio --quiet -id <../archive.cpio 2>/dev/null) || true
expect "names that GNU cpio unpacks, of two" 1 "$(ls unpacked | wc -l)"
conclude
