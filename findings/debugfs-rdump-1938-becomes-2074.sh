#!/usr/bin/env bash
# debugfs writes files of before 1970 out with times of after 2038.
#
# ext4 has a time in 34 bits: 32 with a sign, and two more. `debugfs -R stat` shows
# it right; `debugfs -R "rdump ..."`, which copies a tree out of an image, loses the
# sign where the two bits are 0. So mke2fs -d and debugfs rdump, of one package, do
# not give a directory back: the one turns 2040 into 1903, the other 1938 into 2074.
#
# Seen: e2fsprogs 1.47.0 (Debian 12)
#   debugfs stat, of a file of 1938: Sun Apr 24 22:13:20 1938
#   debugfs rdump writes it with: 2074-05-31 04:41:36
#   debugfs stat, of a file of 2040: Fri Nov 27 10:28:16 1903 (mke2fs -d did that)
. "$(dirname "$0")/prepare"
debian e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libss2 libcom-err2 logsave

mkdir tree out
echo x >tree/old && touch -d @-1000000000 tree/old
echo x >tree/new && touch -d '2040-01-02 16:56:32' tree/new
mke2fs -q -t ext4 -I 256 -d tree image 8M >/dev/null 2>&1
mtime() { debugfs -R "stat $1" image 2>/dev/null | sed -n 's/^ *mtime: .* -- //p'; }
expect "debugfs stat, of a file of 1938" "Sun Apr 24 22:13:20 1938" "$(mtime old)"
debugfs -R 'rdump / out' image 2>/dev/null || true
expect "debugfs rdump writes it with" "2074-05-31 04:41:36" "$(date -d "@$(stat -c %Y out/old)" '+%F %T')"
expect "debugfs stat, of a file of 2040" "Fri Nov 27 10:28:16 1903" "$(mtime new)"
conclude
