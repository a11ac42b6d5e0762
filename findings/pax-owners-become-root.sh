#!/usr/bin/env bash
# pax and BusyBox's tar give files of large owners to root.
#
# An owner over 2,097,151, as user namespaces have, does not fit a tar header: the
# header then has 0, and a pax record `uid=` the number. GNU tar and bsdtar read that
# record. BusyBox's tar and the program pax pass over it, and over the record of the
# time, take what the header has, and end with 0. Paths they do read from such records.
#
# Seen: BusyBox 1.35.0, pax 20201030 (Debian 12), GNU tar 1.34
#   GNU tar lists: 3000000/4000000
#   BusyBox lists: 0/0, exit status 0
#   pax lists: 0 0, exit status 0
#   its time, five seconds before 1970, for BusyBox: 1970-01-01 00:00:00
. "$(dirname "$0")/prepare"
debian busybox-static=1:1.35.0-4+deb12u1+b1 pax=1:20201030-1

echo x >file && touch -d @-5 file
tar --format=pax --owner=app:3000000 --group=app:4000000 --numeric-owner -cf file.tar file
expect "GNU tar lists" 3000000/4000000 "$(tar --numeric-owner -tvf file.tar | awk '{print $2}')"
status=0
busybox tar -tvf file.tar >list || status=$?
expect "BusyBox lists" "0/0, exit status 0" "$(awk '{print $2}' list | sed 's|root|0|g'), exit status $status"
expect "its time for BusyBox" "1970-01-01 00:00:00" "$(awk '{print $4, $5}' list)"
status=0
pax -v -f file.tar >list || status=$?
expect "pax lists" "0 0, exit status 0" "$(awk 'NR == 1 {print $3, $4}' list | sed 's|root|0|g'), exit status $status"
conclude
