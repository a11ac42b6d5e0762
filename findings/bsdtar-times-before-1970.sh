#!/usr/bin/env bash
# bsdtar takes a time before 1970 with a fraction for another one, both ways.
#
# POSIX has `mtime=-1.5` in a pax header stand for one and a half seconds before
# 1970, and GNU tar writes and reads it so. bsdtar reads whole seconds and the
# fraction apart, and adds the fraction upwards: it reads -1.5 as -0.5, and writes
# -1.25 as -2.75. What it wrote itself it reads back, so only a second program sees it.
#
# Seen: bsdtar 3.6.2 (Debian 12), GNU tar 1.34
#   GNU tar writes -1.5, bsdtar reads: -0.500000000
#   bsdtar writes -1.25: mtime=-2.75
#   GNU tar reads that: -2.750000000
. "$(dirname "$0")/prepare"
debian libarchive-tools=3.6.2-1+deb12u5 libarchive13=3.6.2-1+deb12u5 libxml2 libicu72 libnettle8 liblz4-1

echo x >file
touch -d @-1.5 file
tar --format=pax -cf gnu.tar file
mkdir by-bsdtar && bsdtar -C by-bsdtar -xf gnu.tar
expect "GNU tar writes -1.5, bsdtar reads" -0.500000000 "$(stat -c %.9Y by-bsdtar/file)"

touch -d @-1.25 file
bsdtar --format pax -cf bsd.tar file
expect "bsdtar writes -1.25" mtime=-2.75 "$(grep -ao 'mtime=[-.0-9]*' bsd.tar)"
mkdir by-gnu && tar -C by-gnu -xf bsd.tar 2>/dev/null
expect "GNU tar reads that" -2.750000000 "$(stat -c %.9Y by-gnu/file)"
mkdir back && bsdtar -C back -xf bsd.tar
expect "bsdtar reads that" -1.250000000 "$(stat -c %.9Y back/file)"
conclude
