#!/usr/bin/env bash
# sqfstar and tar2sqfs make a squashfs that nobody can mount of 65,536 owners.
#
# squashfs has one table of all user and group ids, and its superblock 16 bits for
# their number. 65,535 are right, and 65,537 are an error of both programs. At 65,536
# both write the number 0 and end with 0; Linux and unsquashfs then refuse the image.
# A host of user namespaces, of which each has its 65,536 ids, comes near.
#
# Seen: squashfs-tools 4.5.1, squashfs-tools-ng 1.2.0 (Debian 12); half a minute each
#   sqfstar: exit status 0, 0 ids, unsquashfs: exit status 1
#   tar2sqfs: exit status 0, 0 ids, unsquashfs: exit status 1
. "$(dirname "$0")/prepare"
command -v perl >/dev/null || cannot "it needs perl"
debian squashfs-tools=1:4.5.1-1 squashfs-tools-ng=1.2.0-1 libsquashfs1=1.2.0-1 liblzo2-2 liblz4-1

# A tar of empty files, of the owners 1 to 65535 and the group 0, which is an id, too.
perl -e '
	for my $owner (1 .. 65535) {
		my $header = pack "a100 a8 a8 a8 a12 a12 a8 a1 a100 a6 a2 a247", "f$owner", "0000644", sprintf("%07o", $owner),
			"0000000", "00000000000", "00000000000", "        ", "0", "", "ustar", "00", "";
		substr($header, 148, 7) = sprintf "%06o\0", unpack "%32C*", $header;
		print pack "a512", $header;
	}
	print "\0" x 1024' >owners.tar

made() { # NAME COMMAND...
	local status=0 read=0
	"${@:2}" <owners.tar >/dev/null 2>&1 || status=$?
	unsquashfs -s "$1" >/dev/null 2>&1 && unsquashfs -ls "$1" >/dev/null 2>&1 || read=$?
	# The number of ids are the bytes 26 and 27 of the superblock.
	echo "exit status $status, $(od -An -tu2 -j26 -N2 "$1" | xargs) ids, unsquashfs: exit status $read" >"$1.seen"
}
made sqfstar.img sqfstar -quiet -no-progress sqfstar.img &
made tar2sqfs.img tar2sqfs -q tar2sqfs.img &
wait
seen="exit status 0, 0 ids, unsquashfs: exit status 1"
expect sqfstar "$seen" "$(cat sqfstar.img.seen)"
expect tar2sqfs "$seen" "$(cat tar2sqfs.img.seen)"
conclude
