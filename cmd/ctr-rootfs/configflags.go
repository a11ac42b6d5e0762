package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// configFlags say what config.json holds; bundle and spec have them.
type configFlags struct {
	flags                    *pflag.FlagSet
	file, seccomp, memory    string
	userGroups               string
	mounts, annotations      []string
	rootless, noNewPrivilege bool
	// source is --spec: whose config.json it is.
	source string

	options ocispec.Options
	// given is --config's text, and spec what it says.
	given []byte
	spec  *rspec.Spec
}

func newConfigFlags(all *pflag.FlagSet) *configFlags {
	flags := pflag.NewFlagSet("config", pflag.ContinueOnError)
	f := &configFlags{flags: flags}
	o := &f.options
	flags.StringVar(&f.source, "spec", specOfImage, "image: config.json made from the image's config; container: the container's own")
	flags.StringVar(&f.file, "config", "", "use `FILE` as config.json, byte for byte")
	flags.StringArrayVar(&o.Env, "env", nil, "set `NAME=VALUE`; NAME alone takes this process's value, or removes it")
	flags.StringVar(&o.Cwd, "cwd", "", "`DIR` where the process works")
	flags.StringVar(&o.User, "user", "", "run as `USER[:GROUP]`, names or numbers")
	flags.StringVar(&f.userGroups, "user-groups", string(ocispec.UserGroupsSpec), "who gets the groups of etc/group: spec (users given by name) or docker (by number, too)")
	flags.StringVar(&o.Hostname, "hostname", "", "host `NAME` in the container")
	flags.BoolVar(&o.TTY, "tty", false, "give the process a terminal")
	flags.BoolVar(&o.ReadOnly, "read-only", false, "mount the root filesystem read-only")
	flags.BoolVar(&f.rootless, "rootless", false, "a bundle that this user can start without privilege")
	flags.StringVar((*string)(&o.Volumes), "volumes", string(ocispec.VolumesTmpfs), "the image's volumes: tmpfs (one each, with what the image has there) or none (a part of rootfs/)")
	flags.StringArrayVar(&f.mounts, "mount", nil, "add a `MOUNT`, as in type=bind,source=/a,target=/b")
	flags.StringArrayVar(&o.CapAdd, "cap-add", nil, "add a `CAPABILITY`, or ALL")
	flags.StringArrayVar(&o.CapDrop, "cap-drop", nil, "drop a `CAPABILITY`, or ALL")
	flags.StringVar(&f.seccomp, "seccomp", ocispec.SeccompNone, "default, none, or a `FILE` with a profile")
	flags.StringArrayVar(&f.annotations, "annotation", nil, "add an annotation `KEY=VALUE`")
	flags.StringVar(&f.memory, "memory", "", "limit memory to `SIZE`, as in 512m")
	flags.Float64Var(&o.CPUs, "cpus", 0, "limit CPU time to that of `N` CPUs, as in 1.5")
	flags.Int64Var(&o.PidsLimit, "pids-limit", 0, "limit processes to `N` (-1: no limit)")
	flags.BoolVar(&f.noNewPrivilege, "no-new-privileges", true, "keep setuid programs from gaining anything")
	flags.StringVar(&o.OCIVersion, "oci-version", "", "write `VERSION` as ociVersion (default the lowest that will do)")
	all.AddFlagSet(flags)
	return f
}

// check reads the flags, before anything is opened; args are SOURCE, and the
// process's arguments instead of the image's.
func (f *configFlags) check(ctx context.Context, args []string) error {
	f.options.Args = args[1:]
	if f.source != specOfImage {
		return f.checkContainer(args[0])
	}
	if f.file != "" {
		return f.readConfig(ctx)
	}
	f.options.UserGroups = ocispec.UserGroups(f.userGroups)
	f.options.NoNewPrivileges = &f.noNewPrivilege
	if f.rootless {
		f.options.Rootless = &ocispec.HostUser{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	}
	f.options.Env = withHostValues(f.options.Env)
	for _, read := range []func() error{f.readMounts, f.readAnnotations, f.readMemory} {
		if err := read(); err != nil {
			return err
		}
	}
	if err := f.readSeccomp(ctx); err != nil {
		return err
	}
	if err := f.options.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

// withHostValues gives NAME the value that this process has for it, as docker
// does; one that it does not have is removed from the image's.
func withHostValues(env []string) []string {
	resolved := make([]string, len(env))
	for i, variable := range env {
		resolved[i] = variable
		if value, ok := os.LookupEnv(variable); ok && !strings.Contains(variable, "=") {
			resolved[i] = variable + "=" + value
		}
	}
	return resolved
}

func (f *configFlags) readMounts() error {
	for _, text := range f.mounts {
		m, err := ocispec.ParseMount(text)
		if err != nil {
			return usageError{err}
		}
		f.options.Mounts = append(f.options.Mounts, m)
	}
	return nil
}

func (f *configFlags) readAnnotations() error {
	f.options.Annotations = make(map[string]string, len(f.annotations))
	for _, text := range f.annotations {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return usagef("reading --annotation %q: it is KEY=VALUE", text)
		}
		f.options.Annotations[key] = value
	}
	return nil
}

func (f *configFlags) readMemory() error {
	if f.memory == "" {
		return nil
	}
	var err error
	if f.options.Memory, err = ocispec.ParseMemory(f.memory); err != nil {
		return usageError{fmt.Errorf("reading --memory: %w", err)}
	}
	return nil
}

func (f *configFlags) readSeccomp(ctx context.Context) error {
	if f.seccomp == ocispec.SeccompNone || f.seccomp == ocispec.SeccompDefault {
		f.options.Seccomp = f.seccomp
		return nil
	}
	data, err := files.Document(ctx, f.seccomp)
	if err != nil {
		return fmt.Errorf("reading --seccomp: %w", err)
	}
	if f.options.SeccompProfile, err = ocispec.ParseSeccomp(data); err != nil {
		return fmt.Errorf("reading --seccomp %q: %w", f.seccomp, err)
	}
	return nil
}

// readConfig reads --config, which no other flag may change.
func (f *configFlags) readConfig(ctx context.Context) error {
	if len(f.options.Args) > 0 {
		return usagef("reading --config %q: arguments after -- would change it", f.file)
	}
	if other := f.generating(); other != "" {
		return usagef("reading --config %q: --%s would change it", f.file, other)
	}
	var err error
	if f.given, err = files.Document(ctx, f.file); err != nil {
		return fmt.Errorf("reading --config: %w", err)
	}
	if f.spec, err = ocispec.Check(f.given); err != nil {
		return fmt.Errorf("reading --config %q: %w", f.file, err)
	}
	return nil
}

// generating names a flag that was given and says what a generated config.json
// holds; empty for none. All of this file's are such flags, but for the two that
// name another config.json.
func (f *configFlags) generating() (name string) {
	f.flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "spec" && flag.Name != "config" {
			name = flag.Name
		}
	})
	return name
}
