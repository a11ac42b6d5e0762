// Command writediff writes a mounted tree as containerd itself does where it
// makes a layer, which is also what nerdctl export runs: one of the peers that
// the benchmark compares with.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/pkg/archive"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: writediff DIR FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	// nerdctl writes to the file as it is; a buffer is to its advantage.
	out := bufio.NewWriterSize(f, 1<<20)
	if err := archive.WriteDiff(context.Background(), out, "", dir); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Close()
}
