#!/usr/bin/env bash
# Starting a container in one containerd kills the one of its name in another.
#
# Two daemons of a host, each with its own root, state and sockets, share runc's folder
# /run/containerd/runc, where a container is known by its namespace and ID. The second
# start of an ID is refused, because it exists. The shim then cleans up after its start,
# with `runc delete --force`, which ends the other daemon's container. That daemon lists
# it as stopped. With a `--runc-root` of its own both run.
#
# Seen: containerd 2.4.2, runc 1.1.5 (Debian 12)
#   the first, before: RUNNING
#   starting the second: container with given ID already exists
#   the first, after: STOPPED
#   with a --runc-root of its own: RUNNING, RUNNING

# In a mount namespace of its own, with a /run of its own: other daemons of this host
# have nothing to do with it.
if [[ $(id -u) == 0 && -z ${FINDING_NAMESPACE:-} ]]; then
	FINDING_NAMESPACE=own exec unshare --mount --propagation private bash "$0"
fi
. "$(dirname "$0")/prepare"
root
mount -t tmpfs tmpfs /run || cannot "mounting /run"
gomodule github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}@v2.4.2
debian busybox-static=1:1.35.0-4+deb12u1+b1 runc=1.1.5+ds1-1+deb12u1 libseccomp2
daemon one
daemon two

mkdir -p rootfs/bin
cp installed/bin/busybox rootfs/bin
# The name of the cgroup, which the host sees.
namespace=finding-$$
start() { # NAME ID FLAG...
	ask "$1" --namespace $namespace run --detach "${@:3}" --rootfs "$work/rootfs" "$2" /bin/busybox sleep 300
}
status() { # NAME ID
	ask "$1" --namespace $namespace task ls | awk -v id="$2" '$1 == id {print $3}'
}
remove() {
	local status=$?
	for daemon in one two; do
		for id in a b; do ask $daemon --namespace $namespace task rm --force $id || true; done
	done
	find /sys/fs/cgroup -depth -type d -path "*/$namespace*" -exec rmdir {} +
	return $status
}
trap 'remove; cleanup' EXIT

start one a || cannot "starting a container: $(tail -1 one/ctr)"
expect "the first, before" RUNNING "$(status one a)"
refused=no
start two a || refused=$(sed -n 's/.*: //p' two/ctr | tail -1)
expect "starting the second" "container with given ID already exists" "$refused"
expect "the first, after" STOPPED "$(status one a)"
start one b || cannot "starting a container: $(tail -1 one/ctr)"
start two b --runc-root "$work/two/runc" || cannot "starting a container: $(tail -1 two/ctr)"
expect "with a --runc-root of its own" "RUNNING, RUNNING" "$(status one b), $(status two b)"
conclude
