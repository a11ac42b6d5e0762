#!/usr/bin/env bash
# An extended attribute with "=" in its name is another one, or two, after tar.
#
# A pax record is KEYWORD=VALUE, and SCHILY.xattr.NAME is the keyword of an attribute:
# NAME can hold no "=". Nothing says how to write one. GNU tar escapes it as %3D, and
# reads that back; others take the escape as it stands. bsdtar writes the escape, and
# a second record, LIBARCHIVE.xattr.NAME, whose escape it does undo: it turns one
# attribute into two, also where a name has a byte over 127. mkfs.erofs reads that
# second record, too, and takes the bits of its base64 in the wrong order. sqfs2tar
# escapes nothing, so that the name ends at its first "=".
#
# Seen: GNU tar 1.34, libarchive 3.6.2, squashfs-tools-ng 1.2.0 (Debian 12), erofs-utils 1.8.6 (Debian 13)
#   user.a=b of the value "one", 0x6f6e65
#   GNU tar, unpacked by GNU tar: a=b:0x6f6e65
#   GNU tar, unpacked by bsdtar: a%3Db:0x6f6e65
#   bsdtar, unpacked by GNU tar: a=b:0x6f6e65
#   bsdtar, unpacked by bsdtar: a%3Db:0x6f6e65 a=b:0x6f6e65
#   bsdtar, by mkfs.erofs: a%3Db:0x6f6e65 a=b:0x9b9d97
#   sqfs2tar, unpacked by GNU tar: a:0x623d6f6e65
#   user.é of that value
#   GNU tar, unpacked by bsdtar: é:0x6f6e65
#   bsdtar, unpacked by bsdtar: %C3%A9:0x6f6e65 é:0x6f6e65
#   bsdtar, unpacked by GNU tar: %C3%A9:0x6f6e65
. "$(dirname "$0")/prepare"
root
debian attr=1:2.5.1-4 libarchive-tools=3.6.2-1+deb12u5 libarchive13=3.6.2-1+deb12u5 libxml2 libicu72 libnettle8 liblz4-1 liblzo2-2 \
	squashfs-tools-ng=1.2.0-1 libsquashfs1=1.2.0-1 squashfs-tools=1:4.5.1-1
debian13 erofs-utils=1.8.6-1

# A tmpfs has user attributes since Linux 6.6.
mkdir disk && mount -t tmpfs tmpfs disk && cd disk
mkdir tree mounted
touch tree/file
setfattr -n user.a=b -v one tree/file
attributes() { # FILE: each NAME:VALUE of its attributes
	getfattr -d -m ^user -e hex "$1" 2>&1 | sed -n 's/^user\.\(.*\)=\(0x[0-9a-f]*\)$/\1:\2/; s/\\075/=/; /:0x/p' | sort | xargs
}
gnu() { tar --xattrs --xattrs-include='*' "$@"; }
bsd() { bsdtar --xattrs "$@"; }
erofs() { # of file.tar
	rm -f image
	mkfs.erofs --quiet --tar=f image file.tar && mount -t erofs -o loop,ro image mounted
	attributes mounted/file
	umount mounted
}
# through takes the tree's file through an archive, and prints its attributes.
through() { # WRITER READER
	"$1" --format=pax -C tree -cf file.tar file
	unpacked "$2"
}
unpacked() { # READER
	rm -rf out && mkdir out
	"$1" -C out -xpf file.tar 2>log
	attributes out/file
}
expect "GNU tar, unpacked by GNU tar" "a=b:0x6f6e65" "$(through gnu gnu)"
expect "GNU tar, unpacked by bsdtar" "a%3Db:0x6f6e65" "$(through gnu bsd)"
expect "bsdtar, unpacked by GNU tar" "a=b:0x6f6e65" "$(through bsd gnu)"
expect "bsdtar, unpacked by bsdtar" "a%3Db:0x6f6e65 a=b:0x6f6e65" "$(through bsd bsd)"
expect "bsdtar, by mkfs.erofs" "a%3Db:0x6f6e65 a=b:0x9b9d97" "$(erofs)"
mksquashfs tree squashed -quiet -no-progress >/dev/null
sqfs2tar squashed >file.tar
expect "sqfs2tar, unpacked by GNU tar" "a:0x623d6f6e65" "$(unpacked gnu)"

setfattr -x user.a=b tree/file
setfattr -n user.é -v one tree/file
expect "GNU tar, unpacked by bsdtar" "é:0x6f6e65" "$(through gnu bsd)"
expect "bsdtar, unpacked by bsdtar" "%C3%A9:0x6f6e65 é:0x6f6e65" "$(through bsd bsd)"
expect "bsdtar, unpacked by GNU tar" "%C3%A9:0x6f6e65" "$(through bsd gnu)"
conclude
