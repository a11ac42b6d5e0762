package main

import (
	"context"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// minLease is what containerd can tell: it keeps an expiry in whole seconds.
const minLease = 2 * time.Second

// open gives a view of SOURCE, and a func that removes it again and must be
// called, also when ctx has ended by then. pause holds a container still until
// that.
func (f *storeFlags) open(ctx context.Context, source string, pause bool) (*snapshot.View, func() error, error) {
	req, err := f.request(ctx, source)
	if err != nil {
		return nil, nil, err
	}
	if req.Pause = pause; pause && !req.Source.HasTask() {
		return nil, nil, usagef("reading --pause: %q is no container and no pod", source)
	}
	if req.Source.InArchive() && req.Via != snapshot.ViaView {
		return f.openArchive(ctx, req)
	}
	location, err := f.locate(req.Source)
	if err != nil {
		return nil, nil, err
	}
	if req.Via == "" && location.Dir != "" {
		req.Via = snapshot.ViaLayers
	}
	namespace := f.namespace
	if namespace == "" {
		namespace = req.Source.DefaultNamespace()
	}
	store, tellStore, err := f.connectTo(ctx, location, namespace)
	if err != nil {
		return nil, nil, err
	}
	view, err := store.View(ctx, req)
	if err != nil {
		return nil, nil, joined(err, store.Close())
	}
	tellStore()
	return view, func() error { return joined(view.Close(ctx), store.Close()) }, nil
}

// openArchive reads an archive by its layers, with no store.
func (f *storeFlags) openArchive(ctx context.Context, req snapshot.Request) (*snapshot.View, func() error, error) {
	if err := f.log(); err != nil {
		return nil, nil, err
	}
	view, err := snapshot.OpenArchive(ctx, req, snapshot.Options{Progress: f.step()})
	if err != nil {
		return nil, nil, err
	}
	return view, func() error { return view.Close(ctx) }, nil
}

// chosenVia reads --via; auto is empty, and depends on the store.
func (f *storeFlags) chosenVia(src snapshot.Source) (snapshot.Via, error) {
	switch f.via {
	case "auto":
		return "", nil
	case "view":
		return snapshot.ViaView, nil
	case "layers":
		if !src.IsImage() {
			return "", usagef("reading --via layers: %q is no image", src)
		}
		return snapshot.ViaLayers, nil
	}
	return "", usagef("reading --via %q: it is auto, view or layers", f.via)
}

func (f *storeFlags) request(ctx context.Context, source string) (snapshot.Request, error) {
	if f.lease < minLease {
		return snapshot.Request{}, usagef("reading --lease %s: it is %s at least", f.lease, minLease)
	}
	src, err := snapshot.ParseSource(source)
	if err != nil {
		return snapshot.Request{}, usageError{err}
	}
	pull := snapshot.Pull(f.pull)
	switch pull {
	case snapshot.PullMissing, snapshot.PullAlways, snapshot.PullNever:
	default:
		return snapshot.Request{}, usagef("reading --pull %q: it is missing, always or never", f.pull)
	}
	if err := snapshot.CheckPlatform(f.platform); err != nil {
		return snapshot.Request{}, usageError{err}
	}
	via, err := f.chosenVia(src)
	if err != nil {
		return snapshot.Request{}, err
	}
	if err := src.Exists(); err != nil {
		return snapshot.Request{}, err
	}
	registry, err := f.registry.registry(ctx, src.Kind == snapshot.ImageName && pull != snapshot.PullNever)
	if err != nil {
		return snapshot.Request{}, err
	}
	return snapshot.Request{
		Source: src, Platform: f.platform, Pull: pull, Registry: registry,
		Stdin: f.in, Via: via, SpoolDir: f.spool,
	}, nil
}

// locate chooses the store. An archive never goes into a daemon, whose image
// names it could change.
func (f *storeFlags) locate(src snapshot.Source) (snapshot.Location, error) {
	if src.InArchive() {
		return snapshot.LocateEmbedded(f.dir)
	}
	return snapshot.Locate(f.address, f.dir)
}
