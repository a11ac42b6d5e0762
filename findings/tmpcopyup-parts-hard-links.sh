#!/usr/bin/env bash
# A tmpfs with tmpcopyup has copies without times, links and holes, and of some files none.
#
# The mount option tmpcopyup of runc and crun fills a tmpfs with what the image has at
# its place; podman sets it for each of its --tmpfs. Both runtimes copy modes and owners.
# Files get the time of the start, hard links are files of their own, and holes take
# memory. runc does not start a container whose image has a pipe, a device or a socket
# there: it makes no such file, and then fails to set its owner. crun makes it.
#
# Seen: runc 1.5.2, crun 1.8.1 (Debian 12)
#   runc and crun, modes and links of two names: 6755 1 6755 1
#   runc and crun, the file's time is kept: no
#   runc and crun, 512-byte blocks of the hole: 10240
#   runc, of a pipe: lchown pipe: no such file or directory
#   crun, of a pipe: fifo
. "$(dirname "$0")/prepare"
root
command -v jq >/dev/null || cannot "it needs jq"
gomodule github.com/opencontainers/runc@v1.5.2
debian busybox-static=1:1.35.0-4+deb12u1+b1 crun=1.8.1-1+deb12u1 libseccomp2 libyajl2

mkdir -p rootfs/bin rootfs/data
cp installed/bin/busybox rootfs/bin
echo x >rootfs/data/file
ln rootfs/data/file rootfs/data/second
chmod 6755 rootfs/data/file
touch -d @5 rootfs/data/file
truncate -s 5M rootfs/data/hole
runc spec
mv config.json default.json
container() { # RUNTIME FORMAT FILES
	# crun 1.8.1 knows the versions of the specification up to 1.0.
	jq --arg stat "busybox stat -c '$2' $3" '.ociVersion = "1.0.2" | .process.terminal = false | .process.capabilities = {} | .process.args = ["/bin/busybox", "sh", "-c", $stat]
		| .mounts += [{destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]' default.json >config.json
	# It takes no host with cgroups of both versions: it is not to see the second.
	unshare --mount --propagation private sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"' - \
		"$1" --root "$work/state" run "finding-$$" 2>log || tail -1 log
}
for runtime in runc crun; do
	expect "$runtime, modes and links of two names" "6755 1 6755 1" "$(container $runtime '%a %h' '/data/file /data/second' | xargs)"
	expect "$runtime, the file's time is kept" no "$(container $runtime %Y /data/file | sed 's/^5$/yes/; s/^[0-9]\{10\}$/no/')"
	expect "$runtime, 512-byte blocks of the hole" 10240 "$(container $runtime %b /data/hole)"
done
mkfifo rootfs/data/pipe
expect "runc, of a pipe" "lchown pipe: no such file or directory" "$(container runc %F /data/pipe | sed 's|.*: lchown .*/\(pipe: [a-z ]*\).*|lchown \1|')"
expect "crun, of a pipe" "fifo" "$(container crun %F /data/pipe)"
conclude
