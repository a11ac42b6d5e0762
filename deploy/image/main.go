// Command image writes ctr-rootfs's own container image as an OCI archive: one
// static binary on an empty root, for each platform that is named.
//
//	image -name NAME -created SECONDS -o FILE linux/amd64=BINARY ...
//
// The same binaries give the same bytes. It pushes nothing and knows no
// registry.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	name := flags.String("name", "", "the image's name with its tag")
	revision := flags.String("revision", "", "the commit that it was built from")
	created := flags.Int64("created", 0, "the image's time, in seconds since 1970")
	output := flags.String("o", "", "the archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name == "" || *output == "" || flags.NArg() == 0 {
		return fmt.Errorf("reading the command line: -name, -o and PLATFORM=BINARY are wanted")
	}
	b := builder{name: *name, revision: *revision, created: time.Unix(*created, 0).UTC(), blobs: blobs{}}
	for _, arg := range flags.Args() {
		platform, binary, _ := strings.Cut(arg, "=")
		if err := b.add(platform, binary); err != nil {
			return err
		}
	}
	return b.write(*output)
}
