#!/usr/bin/env bash
# mkfs.erofs --tar loses the sparse files of GNU tar, and ends with 0.
#
# `tar -S` writes a file with holes in one of four ways. In GNU's own format, tar's
# default, the file has a type of its own: it is not in the image. In the pax format 1.0
# the file's name and size are in records, which are passed over: it is under the name
# that tar has for programs without such files, with the map of its holes as its first
# bytes. In 0.1 that name has the data alone. 0.0 is as 0.1, under the right name.
#
# Seen: erofs-utils 1.8.6 (Debian 13), GNU tar 1.34, Linux 6.18, a file of 1,048,579 bytes
#   gnu: mkfs.erofs 0:
#   pax 1.0: mkfs.erofs 0: GNUSparseFile.PID/file of 515
#   pax 0.1: mkfs.erofs 0: GNUSparseFile.PID/file of 3
#   pax 0.0: mkfs.erofs 0: file of 3
. "$(dirname "$0")/prepare"
debian13 erofs-utils=1.8.6-1

mkdir mounted
truncate -s 1M file && printf end >>file
try() { # FLAG...
	tar -S "$@" -cf file.tar file
	rm -f image
	local status=0
	mkfs.erofs --tar=f image file.tar >log 2>&1 || status=$?
	mount -t erofs -o loop,ro image mounted || cannot "mounting an erofs"
	echo "mkfs.erofs $status: $(find mounted -type f -printf '%P of %s\n' | sed 's|\.[0-9]*/|.PID/|')"
	umount mounted
}
expect "gnu" "mkfs.erofs 0: " "$(try --format=gnu)"
expect "pax 1.0" "mkfs.erofs 0: GNUSparseFile.PID/file of 515" "$(try --format=pax --sparse-version=1.0)"
expect "pax 0.1" "mkfs.erofs 0: GNUSparseFile.PID/file of 3" "$(try --format=pax --sparse-version=0.1)"
expect "pax 0.0" "mkfs.erofs 0: file of 3" "$(try --format=pax --sparse-version=0.0)"
conclude
