#!/usr/bin/env bash
# sqfstar refuses a tar whose pax header has a time without a fraction.
#
# POSIX: a time in a pax header is a decimal number, its fraction is optional.
# GNU tar writes `mtime=10413792000` for a file of the year 2300, because that does
# not fit the older field, and `mtime=-1` for one before 1970. sqfstar refuses both;
# with a fraction it takes both, and writes other times, which end in 2106.
# tar2sqfs takes all, and writes the nearest time that squashfs has.
#
# Seen: squashfs-tools 4.5.1, squashfs-tools-ng 1.2.0 (Debian 12), GNU tar 1.34
#   sqfstar, 2300-01-01 00:00:00: exit status 1, Failed to parse pax header
#   sqfstar, 2300-01-01 00:00:00.5: 2027-10-18 11:03
#   sqfstar, a second before 1970: exit status 1, Failed to parse pax header
#   sqfstar, one and a half seconds before 1970: 2106-02-07 06:28
#   tar2sqfs, 2300-01-01 00:00:00: 2106-02-07 06:28
#   tar2sqfs, a second before 1970: 1970-01-01 00:00
. "$(dirname "$0")/prepare"
debian squashfs-tools=1:4.5.1-1 squashfs-tools-ng=1.2.0-1 libsquashfs1=1.2.0-1 liblzo2-2 liblz4-1

try() { # PROGRAM TIME
	echo x >file
	touch -d "$2" file
	tar --format=pax --pax-option=delete=atime,delete=ctime -cf file.tar file
	rm -f root.squashfs
	local status=0
	"$1" -q root.squashfs <file.tar >log 2>&1 || status=$?
	if ((status)); then
		echo "exit status $status, $(head -1 log)"
	else
		unsquashfs -lln root.squashfs | awk '/file$/ {print $4, $5}'
	fi
}
# sqfstar calls the option by another name.
sqfstar() { command sqfstar -quiet -no-progress "$2"; }

refused="exit status 1, Failed to parse pax header"
expect "sqfstar, 2300-01-01 00:00:00" "$refused" "$(try sqfstar @10413792000)"
expect "sqfstar, 2300-01-01 00:00:00.5" "2027-10-18 11:03" "$(try sqfstar @10413792000.5)"
expect "sqfstar, a second before 1970" "$refused" "$(try sqfstar @-1)"
expect "sqfstar, one and a half seconds before 1970" "2106-02-07 06:28" "$(try sqfstar @-1.5)"
expect "tar2sqfs, 2300-01-01 00:00:00" "2106-02-07 06:28" "$(try tar2sqfs @10413792000)"
expect "tar2sqfs, a second before 1970" "1970-01-01 00:00" "$(try tar2sqfs @-1)"
conclude
