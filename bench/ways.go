package main

// way is one way to get an image's root filesystem, as a line of shell over
// these variables: REF the image's name, OUT the output, WHOLE the finished tar,
// MOUNTED a mounted view, OPTIONS that view's mount options, LAYERS the directories
// that it is merged of, FRESH an empty folder, ARCHIVE the image's archive, LAYOUT
// its OCI layout.
type way struct {
	name   string
	script string
	// needs is a program that may not be there.
	needs string
	// tar says that OUT is an uncompressed tar, whose tree is checked.
	tar bool
	// alone says that it is not run on the large images: it takes long and what
	// it costs is shown by the small ones.
	smallOnly bool
}

const export = `ctr-rootfs export --profile none --progress quiet `

// group is ways that are measured in turn; the first is what the others are
// compared with.
type group struct {
	title string
	ways  []way
}

var groups = []group{
	{"to a file on tmpfs", []way{
		{name: "ctr-rootfs", script: export + `-o $OUT $REF`, tar: true},
		{name: "cp of the finished tar", script: `cp $WHOLE $OUT`, tar: true},
		{name: "the floor: an export's system calls alone, in C", script: `floor $OUT $LAYERS`, needs: "floor"},
		{name: "GNU tar, on a view mounted before", script: `tar --numeric-owner -C $MOUNTED -cf $OUT .`, needs: "tar", tar: true},
		{name: "mount, GNU tar, unmount", script: `mount -t overlay -o $OPTIONS overlay $FRESH; tar --numeric-owner -C $FRESH -cf $OUT .; umount $FRESH`, needs: "tar", tar: true},
		{name: "bsdtar, on a view mounted before", script: `bsdtar --numeric-owner -C $MOUNTED -cf $OUT .`, needs: "bsdtar", tar: true},
		{name: "containerd's WriteDiff, on a view mounted before", script: `writediff $MOUNTED $OUT`, tar: true},
	}},
	{"to a pipe read by cat", []way{
		{name: "ctr-rootfs", script: export + `$REF | cat >/dev/null`},
		{name: "GNU tar, on a view mounted before", script: `tar --numeric-owner -C $MOUNTED -cf - . | cat >/dev/null`, needs: "tar"},
	}},
	{"compressed", []way{
		{name: "ctr-rootfs --compress zstd", script: export + `--compress zstd -o $OUT $REF`},
		{name: "zstd -T0 of the finished tar", script: `zstd -q -T0 -f -o $OUT $WHOLE`, needs: "zstd"},
		{name: "ctr-rootfs --compress gzip", script: export + `--compress gzip -o $OUT $REF`},
		{name: "pigz of the finished tar", script: `pigz -c $WHOLE >$OUT`, needs: "pigz"},
	}},
	{"the whole command", []way{
		{name: "ctr-rootfs", script: export + `-o $OUT $REF`, tar: true},
		{name: "docker create, export, rm", script: `id=$(docker create $REF); docker export -o $OUT $id; docker rm $id >/dev/null`, needs: "docker", tar: true},
		{name: "podman create, export, rm", script: `id=$($PODMAN create --network none $REF); $PODMAN export -o $OUT $id; $PODMAN rm $id >/dev/null`, needs: "podman", tar: true},
		{name: "nerdctl create, export, rm", script: `id=$($NERDCTL create --net none $REF); $NERDCTL export -o $OUT $id; $NERDCTL rm $id >/dev/null`, needs: "nerdctl", tar: true},
		{name: "crane export, of the archive", script: `crane export - $OUT <$ARCHIVE`, needs: "crane", tar: true},
		{name: "umoci unpack, GNU tar", script: `umoci unpack --image $LAYOUT:$NAME $FRESH/b >/dev/null 2>&1; tar --numeric-owner -C $FRESH/b/rootfs -cf $OUT .; rm -r $FRESH/b`, needs: "umoci", tar: true, smallOnly: true},
		{name: "undocker, of the archive", script: `undocker $ARCHIVE $OUT`, needs: "undocker", tar: true},
	}},
}
