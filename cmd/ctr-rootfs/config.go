package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// document gives config.json, as text and as what it says.
func (f *configFlags) document(ctx context.Context, o *opened) ([]byte, *rspec.Spec, error) {
	switch {
	case f.spec != nil:
		return f.given, f.spec, nil
	case f.source == specOfContainer:
		return containerSpec(o)
	}
	if !o.view.Image.Known() {
		return nil, nil, &imageError{source: o.source, container: o.view.Container != nil}
	}
	accounts, err := f.accounts(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	spec, err := ocispec.New(o.view.Image.Config, accounts, f.options)
	if err != nil {
		return nil, nil, fmt.Errorf("making config.json for %q: %w", o.source, err)
	}
	text, err := ocispec.Marshal(spec)
	return text, spec, err
}

// imageError says that there is no image from whose config to make config.json.
type imageError struct {
	source    string
	container bool
}

func (e *imageError) Error() string {
	return fmt.Sprintf("making config.json for %q: the image that it was made from is not known", e.source)
}

// accounts reads the root's own passwd and group, where the image's user has
// to be looked up in them at all.
func (f *configFlags) accounts(ctx context.Context, o *opened) (a ocispec.Accounts, err error) {
	if !ocispec.NeedsAccounts(o.view.Image.Config, f.options) {
		return a, nil
	}
	if a.Passwd, err = readAccounts(ctx, o, "etc/passwd"); err != nil {
		return a, err
	}
	a.Group, err = readAccounts(ctx, o, "etc/group")
	return a, err
}

// readAccounts gives nil where there is no such file.
func readAccounts(ctx context.Context, o *opened, name string) ([]byte, error) {
	data, err := export.ReadFile(ctx, o.tree.accounts, name, ocispec.MaxAccountsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	// A --replace that cannot be is no fault of this file's.
	var place *export.PlaceError
	if errors.As(err, &place) {
		return nil, place
	}
	return data, err
}

// mountPoint is the place of a mount: a directory, but a file where a file of
// this host is bound.
func mountPoint(p ocispec.MountPoint, o *opened) export.Made {
	made := export.Made{
		Path: p.Path, For: forMount, Type: export.Directory, Mode: 0o755, MTime: o.latest,
		IfMissing: true, NoSymlink: p.NoSymlink,
	}
	if p.Source == "" {
		return made
	}
	if info, err := os.Stat(p.Source); err == nil && !info.IsDir() {
		made.Type, made.Mode = export.Regular, 0o644
	}
	return made
}
