#!/usr/bin/env bash
# mkfs.erofs writes an attribute of 64 KiB as an empty one, and ends with 0.
#
# Linux takes an extended attribute of 65,536 bytes (XATTR_SIZE_MAX). EROFS has 16 bits
# for the size of a value. mkfs.erofs cuts the size to them, which is 0, and fsck.erofs
# finds nothing. One byte less is right.
#
# Seen: erofs-utils 1.5 (Debian 12), Linux 6.18
#   65535: mkfs.erofs 0, fsck.erofs 0, bytes 65535
#   65536: mkfs.erofs 0, fsck.erofs 0, bytes 0
. "$(dirname "$0")/prepare"
root
debian erofs-utils=1.5-1 attr=1:2.5.1-4 liblz4-1

# A tmpfs (Linux 6.6) takes attributes of this size, which ext4 does not.
mkdir disk mounted && mount -t tmpfs tmpfs disk && mkdir disk/tree
echo x >disk/tree/file
try() { # SIZE
	{
		printf '# file: disk/tree/file\nuser.a=0s'
		head -c "$1" /dev/zero | base64 -w 0
		echo
	} | setfattr --restore=- || cannot "setting an attribute of $1 bytes on a tmpfs"
	local made=0 checked=0
	mkfs.erofs --quiet disk/image disk/tree || made=$?
	fsck.erofs disk/image >/dev/null 2>&1 || checked=$?
	mount -t erofs -o loop,ro disk/image mounted || cannot "mounting an erofs"
	local bytes
	bytes=$(getfattr --only-values -n user.a mounted/file | wc -c)
	umount mounted
	echo "mkfs.erofs $made, fsck.erofs $checked, bytes $bytes"
}
expect 65535 "mkfs.erofs 0, fsck.erofs 0, bytes 65535" "$(try 65535)"
expect 65536 "mkfs.erofs 0, fsck.erofs 0, bytes 0" "$(try 65536)"
conclude
