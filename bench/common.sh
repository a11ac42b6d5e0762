# What bylayers and unpack share; they source it, with set -euo pipefail.

# begin NAME TOOL... makes the folder of a comparison, which goes with all that it
# starts, and builds this program and the tools.
begin() {
	name=$1
	root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
	dir=$(mktemp -d "${BENCH_DIR:-/dev/shm}/$name.XXXXXX")
	started=()
	trap end EXIT
	shift
	for tool in "$@"; do
		PATH=$("$root/integration/tools/build" "$tool"):$PATH
	done
	ours=$dir/ctr-rootfs
	CGO_ENABLED=0 go build -C "$root" -buildvcs=false -trimpath -o "$ours" ./cmd/ctr-rootfs
}

# end waits for what it ends, since that has files in the folder.
end() {
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}

# make_image writes $dir/layout: this machine's own /usr/bin, /usr/share and Go
# tree, or what BENCH_FOLDERS names, a layer each, gzipped by umoci.
make_image() {
	umoci init --layout "$dir/layout"
	umoci new --image "$dir/layout:bench"
	for folder in ${BENCH_FOLDERS:-/usr/bin /usr/share $(go env GOROOT)}; do
		tar --numeric-owner --xattrs -C / -cf "$dir/layer.tar" ".$folder"
		umoci raw add-layer --image "$dir/layout:bench" "$dir/layer.tar" 2>/dev/null
		rm "$dir/layer.tar"
	done
}

# until_works WHAT LOG COMMAND... tries a command for half a minute.
until_works() {
	local what=$1 log=$2
	shift 2
	for _ in {1..150}; do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.2
	done
	echo "$name: $what: $(tail -3 "$log")" >&2
	exit 1
}

# start_registry serves the image as $ref.
start_registry() {
	local port=$((20000 + RANDOM % 12000))
	printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%d"}\n' "$dir/registry" "$port" >"$dir/registry.yml"
	OTEL_TRACES_EXPORTER=none registry serve "$dir/registry.yml" >"$dir/registry.log" 2>&1 &
	started+=($!)
	ref=127.0.0.1:$port/bench:1
	until_works "the registry takes no image" "$dir/registry.log" crane push --insecure "$dir/layout" "$ref"
}

# measure WAY appends the seconds and the processor's seconds that it takes to files.
measure() {
	local TIMEFORMAT='%R %U %S'
	{ time "$1" 2>&3; } 3>&2 2>"$dir/time"
	awk '{print $1}' "$dir/time" >>"$dir/$1.times"
	awk '{print $2 + $3}' "$dir/time" >>"$dir/$1.cpu"
}

# least WAY [cpu] and median WAY give seconds.
least() { sort -n "$dir/$1.${2:-times}" | awk 'NR == 1'; }
median() { sort -n "$dir/$1.times" | awk '{t[NR] = $1} END {print t[int((NR + 1) / 2)]}'; }
