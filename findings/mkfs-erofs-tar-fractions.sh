#!/usr/bin/env bash
# mkfs.erofs --tar reads the time 1.5 of a pax header as 1.000000005.
#
# The digits behind the point are taken as a number of nanoseconds, however many they
# are, so that only nine digits are right. GNU tar and Go's archive/tar leave out zeros
# at the end: one time in ten is wrong, and every time of milliseconds or microseconds.
# GNU's own format has whole seconds. A time before 1970 in it makes mkfs.erofs refuse
# the archive.
#
# Seen: erofs-utils 1.8.6 (Debian 13), GNU tar 1.34, Linux 6.18
#   pax, 1.5: 1.000000005
#   pax, 1.123456: 1.000123456
#   pax, 1.123456789: 1.123456789
#   pax, -1: -1.000000000
#   GNU's format, -1: invalid tar @ 0
. "$(dirname "$0")/prepare"
debian13 erofs-utils=1.8.6-1

mkdir mounted
try() { # FORMAT TIME
	touch -d "@$2" file
	rm -f image file.tar
	local options=()
	[[ $1 == gnu ]] || options=(--pax-option=delete=atime,delete=ctime)
	tar --format="$1" "${options[@]}" -cf file.tar file
	if ! mkfs.erofs --tar=f image file.tar >log 2>&1; then
		sed -n 's/.*erofs: \(invalid\)/\1/p' log
		return
	fi
	mount -t erofs -o loop,ro image mounted || cannot "mounting an erofs"
	stat -c %.9Y mounted/file
	umount mounted
}
expect "pax, 1.5" 1.000000005 "$(try pax 1.5)"
expect "pax, 1.123456" 1.000123456 "$(try pax 1.123456)"
expect "pax, 1.123456789" 1.123456789 "$(try pax 1.123456789)"
expect "pax, -1" -1.000000000 "$(try pax -1)"
expect "GNU's format, -1" "invalid tar @ 0" "$(try gnu -1)"
conclude
