package snapshot_test

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// A view of an image in a daemon: what is written is what a container of it
// would begin with. It needs root, and a containerd.
func ExampleStore_View() {
	ctx := context.Background()
	location, err := snapshot.Locate("", "") // as the command does without flags
	if err != nil {
		log.Fatal(err)
	}
	store, err := snapshot.Open(ctx, snapshot.Options{Location: location, Namespace: "k8s.io"})
	if err != nil {
		log.Fatal(err)
	}
	source, err := snapshot.ParseSource("alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	view, err := store.View(ctx, snapshot.Request{Source: source, Pull: snapshot.PullMissing})
	if err != nil {
		log.Fatal(errors.Join(err, store.Close()))
	}
	tree := export.NewDirTree(view.Root) // the root is the tree's to close
	_, err = export.Write(ctx, tree, export.NewTar(os.Stdout))
	if err := errors.Join(err, tree.Close(), view.Close(ctx), store.Close()); err != nil {
		log.Fatal(err)
	}
}

// The root of a container, as its own processes see it: others may write to it
// meanwhile, the filesystem it is on may have names of its own, and its user
// namespace other ids.
func ExampleView() {
	ctx := context.Background()
	store, err := snapshot.Open(ctx, snapshot.Options{
		Location: snapshot.Location{Address: snapshot.DefaultAddress}, Namespace: "k8s.io",
	})
	if err != nil {
		log.Fatal(err)
	}
	source := snapshot.Source{Kind: snapshot.PodName, Name: "kube-system/coredns"}
	view, err := store.View(ctx, snapshot.Request{Source: source})
	if err != nil {
		log.Fatal(errors.Join(err, store.Close()))
	}
	live, err := export.NewLiveTree(view.Root)
	if err != nil {
		log.Fatal(errors.Join(err, view.Close(ctx), store.Close()))
	}
	tree := export.Owners(export.Omit(live, view.Foreign), view.UIDs, view.GIDs)
	_, err = export.Write(ctx, tree, export.NewTar(os.Stdout))
	if err := errors.Join(err, tree.Close(), view.Close(ctx), store.Close()); err != nil {
		log.Fatal(err)
	}
	changes, count := live.Changes()
	log.Print(count, " files changed meanwhile, among them ", changes)
}
