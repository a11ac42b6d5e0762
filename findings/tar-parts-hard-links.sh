#!/usr/bin/env bash
# GNU tar parts the hard links of pipes and devices, bsdtar of devices, cpio and mke2fs of symlinks.
#
# POSIX lets a file of any type have several names. Written to an archive, the second one
# should be a link to the first. Which types get a full entry for each name, and are
# two files when unpacked, differs between programs: BusyBox and pax part none. The same
# goes for filesystems that mke2fs fills from a directory. The whiteouts of an overlay
# mount are one device with many names, so that they are of the types that differ.
#
# Seen: GNU tar 1.34, libarchive 3.6.2, BusyBox 1.35.0, pax 20201030, GNU cpio 2.13,
# e2fsprogs 1.47.0 (Debian 12)
#   links of a file, a symlink, a pipe and a device of two names, archives unpacked by GNU tar
#   GNU tar: 2 2 1 1
#   bsdtar: 2 2 2 1
#   cpio -H ustar: 2 1 2 2
#   BusyBox: 2 2 2 2
#   pax: 2 2 2 2
#   mke2fs -d: 2 1 2 2
. "$(dirname "$0")/prepare"
root
debian libarchive-tools=3.6.2-1+deb12u5 libarchive13=3.6.2-1+deb12u5 libxml2 libicu72 libnettle8 liblz4-1 \
	busybox-static=1:1.35.0-4+deb12u1+b1 pax=1:20201030-1 cpio=2.13+dfsg-7.1 \
	e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libss2 libcom-err2 logsave

mkdir tree
echo x >tree/file
ln -s x tree/link
mkfifo tree/pipe
mknod tree/device c 1 3
for name in file link pipe device; do ln tree/$name tree/${name}2; done
names=(file file2 link link2 pipe pipe2 device device2)
# unpacked makes file.tar of what a command writes, and prints the links of the files in it.
unpacked() { # COMMAND...
	(cd tree && "$@") >file.tar
	rm -rf out && mkdir out && tar -C out -xf file.tar
	(cd out && stat -c %h file link pipe device | xargs)
}
copied_out() { printf '%s\n' "$@" | cpio --quiet -o -H ustar; }
expect "GNU tar" "2 2 1 1" "$(unpacked tar -c "${names[@]}")"
expect "bsdtar" "2 2 2 1" "$(unpacked bsdtar -c "${names[@]}")"
expect "cpio -H ustar" "2 1 2 2" "$(unpacked copied_out "${names[@]}")"
expect "BusyBox" "2 2 2 2" "$(unpacked busybox tar -cf - "${names[@]}")"
expect "pax" "2 2 2 2" "$(unpacked pax -w "${names[@]}")"
mke2fs -q -t ext4 -d tree image 8M >log 2>&1
mkdir mounted && mount -o loop,ro image mounted || cannot "mounting an ext4"
expect "mke2fs -d" "2 1 2 2" "$(cd mounted && stat -c %h file link pipe device | xargs)"
conclude
