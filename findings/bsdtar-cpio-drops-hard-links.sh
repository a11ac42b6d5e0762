#!/usr/bin/env bash
# bsdtar, turning a tar into a cpio, makes names without a type of hard links.
#
# `bsdtar -c --format newc @FILE.tar` is how an initramfs is made of a tar. A hard
# link of the tar becomes an entry whose mode lacks the bits that say what it is, with
# an inode number of its own and no content. GNU cpio says "unknown file type" of it,
# leaves it out and ends with 0; Linux leaves it out of an initramfs without a word.
# Of a directory (`bsdtar -c --format newc DIR`) bsdtar makes a right cpio.
#
# Seen: bsdtar 3.6.2, GNU cpio 2.13 (Debian 12)
#   exit status of bsdtar: 0
#   mode of the linked name in the cpio: 000001a4
#   exit status of GNU cpio: 0
#   what it unpacks: a
#   of a directory: a b
. "$(dirname "$0")/prepare"
debian libarchive-tools=3.6.2-1+deb12u5 libarchive13=3.6.2-1+deb12u5 cpio=2.13+dfsg-7.1 libxml2 libicu72 libnettle8 liblz4-1

mkdir files && echo content >files/a && ln files/a files/b && chmod 0644 files/a
tar -C files -cf files.tar a b
status=0
bsdtar -c --format newc -f by-tar.cpio @files.tar || status=$?
expect "exit status of bsdtar" 0 "$status"
# newc: a magic of six bytes and fields of eight hexadecimal digits (inode, mode ...),
# 110 bytes in all. The name and the content of a go up to 120.
expect "mode of the linked name in the cpio" 000001a4 "$(tail -c +121 by-tar.cpio | head -c 22 | tail -c 8)"

mkdir by-tar by-dir
status=0
(cd by-tar && cpio --quiet -id <../by-tar.cpio 2>/dev/null) || status=$?
expect "exit status of GNU cpio" 0 "$status"
expect "what it unpacks" a "$(ls by-tar | xargs)"
bsdtar -C files -c --format newc -f by-dir.cpio a b
(cd by-dir && cpio --quiet -id <../by-dir.cpio)
expect "of a directory" "a b" "$(ls by-dir | xargs)"
conclude
