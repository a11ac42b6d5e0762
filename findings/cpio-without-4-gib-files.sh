#!/usr/bin/env bash
# Three programs leave a file of 4 GiB out of a cpio, and end with 0.
#
# newc has 32 bits for a size. GNU cpio, bsdcpio and bsdtar all say something on
# stderr (GNU cpio names a limit of 16777215, which it does not have), write the
# archive without the file, and report success. A script that looks at exit statuses
# makes an initramfs that lacks its largest file.
#
# Seen: GNU cpio 2.13, bsdcpio and bsdtar 3.6.2 (Debian 12)
#   GNU cpio: exit status 0, holds: small
#   bsdcpio: exit status 0, holds: small
#   bsdtar: exit status 0, holds: small
. "$(dirname "$0")/prepare"
debian libarchive-tools=3.6.2-1+deb12u5 libarchive13=3.6.2-1+deb12u5 cpio=2.13+dfsg-7.1 libxml2 libicu72 libnettle8 liblz4-1

mkdir files && cd files
truncate -s 4G large # holes: it takes no room
echo x >small
result() { # EXIT-STATUS ARCHIVE
	echo "exit status $1, holds: $(cpio --quiet -t <"$2" | xargs)"
}
status=0
printf 'large\nsmall\n' | cpio -o -H newc >../gnu.cpio 2>/dev/null || status=$?
expect "GNU cpio" "exit status 0, holds: small" "$(result $status ../gnu.cpio)"
status=0
printf 'large\nsmall\n' | bsdcpio -o -H newc >../bsd.cpio 2>/dev/null || status=$?
expect "bsdcpio" "exit status 0, holds: small" "$(result $status ../bsd.cpio)"
status=0
bsdtar -c --format newc -f ../bsdtar.cpio large small 2>/dev/null || status=$?
expect "bsdtar" "exit status 0, holds: small" "$(result $status ../bsdtar.cpio)"
conclude
