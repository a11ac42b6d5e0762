// Command ctr-rootfs turns a container image, as containerd holds it, into
// its root filesystem as a filtered tar, or into an OCI runtime bundle.
package main

import (
	"context"
	"os"
	"runtime"
)

// The main thread is kept for main alone, which only waits. Linux gives a signal of
// the process to that thread first, and one that a file system keeps takes none.
func init() { runtime.LockOSThread() }

func main() {
	status := make(chan int)
	go func() {
		status <- run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, errors: os.Stderr})
	}()
	os.Exit(<-status)
}
