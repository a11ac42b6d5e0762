#!/usr/bin/env bash
# containerd's diff, which commits a container, lacks changes of extended attributes.
#
# A container's changes become a layer by comparing two mounts. Of two files with the
# same mode, owner, size and time containerd compares the attribute security.capability,
# and no other: what setfattr or setfacl did is not in the layer. With a time of whole
# seconds it compares the content, too; with a fraction it does not, so that new content
# under the old size and time is not in the layer either. The same holds for a symlink's
# target. A changed mode of the root is never in a layer.
#
# Seen: containerd 2.4.2's pkg/archive, used as plugins/diff/walking uses it
#   user.a set on a file, or on a directory: nothing
#   an ACL set: nothing
#   a capability set: file
#   the root's mode: nothing
#   other content, the time 5.5: nothing; the time 5: file
#   another target, the time 5.5: nothing; the time 5: link
. "$(dirname "$0")/prepare"
root
debian attr=1:2.5.1-4 acl=2.3.1-3 libcap2-bin=1:2.66-4+deb12u3+b1
goprogram writediff github.com/containerd/containerd/v2/pkg/archive@v2.4.2 <<'END'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/pkg/archive"
)

func main() {
	if err := archive.WriteDiff(context.Background(), os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
END

# A tmpfs has nanoseconds; user attributes it has since Linux 6.6.
mkdir disk && mount -t tmpfs tmpfs disk && cd disk
changed_by() { # COMMAND, of a tree whose times are $time
	rm -rf before after
	mkdir -p before/dir
	echo one >before/file
	ln -s one before/link
	touch -h -d "@$time" before/file before/link before/dir
	cp -a before after
	(cd after && eval "$1")
	local names
	names=$(writediff before after | tar -t | xargs)
	echo "${names:-nothing}"
}
time=5.5
expect "user.a set on a file" nothing "$(changed_by 'setfattr -n user.a -v b file')"
expect "user.a set on a directory" nothing "$(changed_by 'setfattr -n user.a -v b dir')"
expect "an ACL set" nothing "$(changed_by 'setfacl -d -m u:5:r dir')"
expect "a capability set" file "$(changed_by 'setcap cap_net_raw+ep file')"
expect "the root's mode" nothing "$(changed_by 'chmod 700 .')"
for time in 5.5 5; do
	expect "other content, the time $time" "$([[ $time == 5 ]] && echo file || echo nothing)" "$(changed_by 'echo two >file; touch -d @$time file')"
	expect "another target, the time $time" "$([[ $time == 5 ]] && echo link || echo nothing)" "$(changed_by 'ln -sfn two link; touch -h -d @$time link')"
done
conclude
