#!/usr/bin/env bash
# An archive of tar --append: sqfstar takes the old file, tar2sqfs none, BusyBox a mix.
#
# `tar -r` and `tar -u` put the new version of a file behind the old one, and the last
# one counts. Here a and b are hard links in the archive, and a has been replaced since:
# a is new then, and b still the old file. sqfstar keeps the first of each name and ends
# with 0. tar2sqfs refuses the archive. BusyBox opens the a that it has made and writes
# into it, so that b becomes new, too, and stays a link, as if a had been edited.
#
# Seen: GNU tar 1.34, libarchive 3.6.2, BusyBox 1.35.0, squashfs-tools 4.5.1,
# squashfs-tools-ng 1.2.0 (Debian 12)
#   GNU tar: exit status 0, a new, b old
#   bsdtar: exit status 0, a new, b old
#   BusyBox: exit status 0, a new, b new
#   sqfstar: exit status 0, a old, b old
#   tar2sqfs: exit status 1, a: File exists
. "$(dirname "$0")/prepare"
debian libarchive-tools=3.6.2-1+deb12u5 libarchive13=3.6.2-1+deb12u5 libxml2 libicu72 libnettle8 liblz4-1 liblzo2-2 \
	busybox-static=1:1.35.0-4+deb12u1+b1 squashfs-tools=1:4.5.1-1 squashfs-tools-ng=1.2.0-1 libsquashfs1=1.2.0-1

mkdir tree
echo old >tree/a
ln tree/a tree/b
tar -C tree -cf file.tar a b
rm tree/a
echo new >tree/a
tar -C tree -rf file.tar a
# extracted runs a program that fills the directory `out`.
extracted() { # COMMAND...
	local status=0
	rm -rf out && mkdir out
	"$@" >log 2>&1 || status=$?
	echo "exit status $status, a $(cat out/a), b $(cat out/b)"
}
squashed() {
	sqfstar -quiet -no-progress image <file.tar && unsquashfs -quiet -no-progress -force -dest out image
}
expect "GNU tar" "exit status 0, a new, b old" "$(extracted tar -C out -xf file.tar)"
expect "bsdtar" "exit status 0, a new, b old" "$(extracted bsdtar -C out -xf file.tar)"
expect "BusyBox" "exit status 0, a new, b new" "$(extracted busybox tar -C out -xf file.tar)"
expect "sqfstar" "exit status 0, a old, b old" "$(extracted squashed)"
status=0
tar2sqfs --quiet other <file.tar 2>log || status=$?
expect "tar2sqfs" "exit status 1, a: File exists" "exit status $status, $(tail -1 log)"
conclude
