// Command ctr-rootfs turns a container image, as containerd holds it, into
// its root filesystem as a filtered tar, or into an OCI runtime bundle.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, errors: os.Stderr}))
}
