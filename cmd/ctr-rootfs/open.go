package main

import (
	"context"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// request is what is asked for, as it was read from the command line.
type request struct {
	snapshot.Request
	// typed is SOURCE as it was written.
	typed string
}

// open gives a view of what is asked for, and a func that removes it again and
// must be called, also when ctx has ended by then.
func (f *storeFlags) open(ctx context.Context, req request) (*snapshot.View, func() error, error) {
	if req.Source.InArchive() && req.Via != snapshot.ViaView {
		return f.openArchive(ctx, req.Request)
	}
	found, err := hostfile.Settle(ctx, func() (reached, error) { return f.storeOf(ctx, req) }, reached.late)
	if err != nil {
		return nil, nil, err
	}
	store := found.store
	view, err := store.View(ctx, found.request.Request)
	if err != nil {
		return nil, nil, joined(err, store.Close())
	}
	found.tell()
	return view, func() error { return joined(view.Close(ctx), store.Close()) }, nil
}

// reached is an open store, with a request that says how it is read.
type reached struct {
	store   *snapshot.Store
	request request
	// tell says which store it is.
	tell func()
}

// late closes a store that nobody waits for any more.
func (r reached) late(err error) {
	if err == nil {
		_ = r.store.Close()
	}
}

// storeOf opens the store that has SOURCE, and completes the request by how
// that is reached and read.
func (f *storeFlags) storeOf(ctx context.Context, req request) (r reached, err error) {
	if err := f.logIn(ctx, &req); err != nil {
		return r, err
	}
	location, err := f.locate(req.Source)
	if err != nil {
		return r, err
	}
	if req.Via == "" && location.Dir != "" {
		req.Via = snapshot.ViaLayers
	}
	namespace := f.namespace
	if namespace == "" {
		namespace = req.Source.DefaultNamespace()
	}
	r.request = req
	r.store, r.tell, err = f.connectTo(ctx, location, namespace)
	return r, err
}

// logIn completes a request by how the registry is reached, where it may be.
func (f *storeFlags) logIn(ctx context.Context, req *request) (err error) {
	req.Registry, err = f.registry.registry(ctx, req.Source.Kind == snapshot.ImageName && req.Pull != snapshot.PullNever)
	return err
}

// openArchive reads an archive by its layers, with no store.
func (f *storeFlags) openArchive(ctx context.Context, req snapshot.Request) (*snapshot.View, func() error, error) {
	if err := f.log(); err != nil {
		return nil, nil, err
	}
	view, err := snapshot.OpenArchive(ctx, req, snapshot.Options{Progress: f.step(), MaxBytes: f.limits.bytes.value})
	if err != nil {
		return nil, nil, err
	}
	closing := func() error { return view.Close(ctx) }
	return view, func() error { return hostfile.SettleErr(ctx, closing, nil) }, nil
}

// chosenVia reads --via, after check; auto is empty, and depends on the store.
func (f *storeFlags) chosenVia(src snapshot.Source) (snapshot.Via, error) {
	switch f.via {
	case "view":
		return snapshot.ViaView, nil
	case "layers":
		if !src.IsImage() {
			return "", usagef("reading --via layers: %q is no image", src)
		}
		return snapshot.ViaLayers, nil
	}
	return "", nil
}

// request reads SOURCE and what the flags say of it, after check. pause holds a
// container still until the view is removed.
func (f *storeFlags) request(source string, pause bool) (request, error) {
	src, err := snapshot.ParseSource(source)
	if err != nil {
		return request{}, usageError{err}
	}
	if f.pull == string(snapshot.PullAlways) {
		if err := src.CheckName(); err != nil {
			return request{}, usageError{err}
		}
	}
	via, err := f.chosenVia(src)
	if err != nil {
		return request{}, err
	}
	if pause && !src.HasTask() {
		return request{}, usagef("reading --pause: %q is no container and no pod", source)
	}
	if err := f.registry.check(); err != nil {
		return request{}, err
	}
	if err := src.CheckExists(); err != nil {
		return request{}, err
	}
	return request{typed: source, Request: snapshot.Request{
		Source: src, Platform: f.platform, Pull: snapshot.Pull(f.pull),
		Stdin: f.in, Via: via, SpoolDir: f.spool, Pause: pause, Layered: true,
	}}, nil
}

// locate chooses the store. An archive never goes into a daemon, whose image
// names it could change.
func (f *storeFlags) locate(src snapshot.Source) (snapshot.Location, error) {
	if src.InArchive() {
		return snapshot.LocateEmbedded(f.dir)
	}
	return f.locateStore()
}
