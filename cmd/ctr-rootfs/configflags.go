package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// configFlags say what config.json holds.
type configFlags struct {
	file string

	options ocispec.Options
	given   []byte
	spec    *rspec.Spec
}

func newConfigFlags(flags *pflag.FlagSet) *configFlags {
	f := &configFlags{}
	flags.StringVar(&f.file, "config", "", "use this config.json, byte for byte")
	return f
}

// check reads the flags, before anything is mounted; args are the process's
// arguments instead of the image's.
func (f *configFlags) check(args []string) error {
	f.options.Args = args
	if f.file == "" {
		return nil
	}
	if len(args) > 0 {
		return usagef("reading --config %q: arguments after -- would change it", f.file)
	}
	var err error
	if f.given, err = os.ReadFile(f.file); err != nil {
		return fmt.Errorf("reading --config: %w", err)
	}
	if f.spec, err = ocispec.Check(f.given); err != nil {
		return fmt.Errorf("reading --config %q: %w", f.file, err)
	}
	return nil
}

// document gives config.json, as text and as what it says.
func (f *configFlags) document(ctx context.Context, o *opened) ([]byte, *rspec.Spec, error) {
	if f.spec != nil {
		return f.given, f.spec, nil
	}
	accounts, err := f.accounts(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	spec, err := ocispec.New(o.view.Image.Config, accounts, f.options)
	if err != nil {
		return nil, nil, fmt.Errorf("making config.json for %q: %w", o.view.Image.Name, err)
	}
	text, err := ocispec.Marshal(spec)
	return text, spec, err
}

// accounts reads the root's own passwd and group, where the image's user has
// to be looked up in them at all.
func (f *configFlags) accounts(ctx context.Context, o *opened) (ocispec.Accounts, error) {
	var a ocispec.Accounts
	if !ocispec.NeedsAccounts(o.view.Image.Config, f.options) {
		return a, nil
	}
	for name, into := range map[string]*[]byte{"etc/passwd": &a.Passwd, "etc/group": &a.Group} {
		data, err := export.ReadFile(ctx, o.tree.accounts, name, ocispec.MaxAccountsFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return a, err
		}
		*into = data
	}
	return a, nil
}

// mountPoint is the place of a mount: a directory, but a file where a file of
// this host is bound.
func mountPoint(p ocispec.MountPoint, o *opened) export.Made {
	made := export.Made{Path: p.Path, Type: export.Directory, Mode: 0o755, MTime: o.latest, IfMissing: true}
	if info, err := os.Stat(p.Source); err == nil && !info.IsDir() {
		made.Type, made.Mode = export.Regular, 0o644
	}
	return made
}
