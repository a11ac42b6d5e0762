#!/usr/bin/env bash
# github.com/ulikunitz/xz reads an .xz that is cut between two blocks as whole.
#
# An .xz has a header, blocks, an index of the blocks and a footer. A file that a
# download cut lacks the index. The package takes the end of its input for the end of
# the file wherever a block could begin, and in the first bytes of a block's header:
# it returns what came before, and io.EOF. `xz --threads=0` writes several blocks, one
# for every 24 MiB at its default level. A cut within a block's data is an error.
#
# Seen: github.com/ulikunitz/xz 0.5.17, xz 5.4.1 (Debian 12) on a file of 250,000 bytes
#   whole: 250000 bytes, no error; xz: 0
#   cut behind the file's header: 0 bytes, no error; xz: 1
#   cut before the third block: 200000 bytes, no error; xz: 1
#   cut behind a byte of the third block: 200000 bytes, no error; xz: 1
#   cut before the index: 250000 bytes, no error; xz: 1
#   cut in the third block: unexpected EOF; xz: 1
. "$(dirname "$0")/prepare"
debian xz-utils=5.4.1-1+deb12u2 liblzma5
goprogram count github.com/ulikunitz/xz@v0.5.17 <<'END'
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/ulikunitz/xz"
)

func main() {
	var bytes int64
	r, err := xz.NewReader(os.Stdin)
	if err == nil {
		bytes, err = io.Copy(io.Discard, r)
	}
	if err == nil {
		fmt.Printf("%d bytes, no error\n", bytes)
	} else {
		fmt.Println(err)
	}
}
END

head -c 250000 /dev/urandom >file
xz --keep --block-size=100000 file
# xz lists for each block its offset in the file and its size there.
read -r third size < <(xz --robot -lvv file.xz | awk '$1 == "block" && $3 == 3 {print $5, $7}')
both() { # BYTES
	local status=0
	head -c "$1" file.xz >cut.xz
	xz --test cut.xz 2>xz.log || status=$?
	echo "$(count <cut.xz); xz: $status"
}
expect "whole" "250000 bytes, no error; xz: 0" "$(both "$(stat -c %s file.xz)")"
expect "cut behind the file's header" "0 bytes, no error; xz: 1" "$(both 12)"
expect "cut before the third block" "200000 bytes, no error; xz: 1" "$(both "$third")"
expect "cut behind a byte of the third block" "200000 bytes, no error; xz: 1" "$(both $((third + 1)))"
expect "cut before the index" "250000 bytes, no error; xz: 1" "$(both $((third + size)))"
expect "cut in the third block" "unexpected EOF; xz: 1" "$(both $((third + size / 2)))"
conclude
