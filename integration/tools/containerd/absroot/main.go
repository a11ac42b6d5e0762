// Command absroot gives a container's spec an absolute root.path, as docker's
// containers have it: ctr makes none that has a snapshot, too.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: absroot SOCKET CONTAINER PATH")
		os.Exit(2)
	}
	if err := run(namespaces.WithNamespace(context.Background(), "default"), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "absroot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, socket, id, path string) error {
	c, err := client.New(socket)
	if err != nil {
		return err
	}
	defer c.Close()
	container, err := c.LoadContainer(ctx, id)
	if err != nil {
		return err
	}
	spec, err := container.Spec(ctx)
	if err != nil {
		return err
	}
	spec.Root.Path = path
	return container.Update(ctx, client.UpdateContainerOpts(client.WithSpec(spec)))
}
