package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// registryFlags say how registries are reached; every verb has them.
type registryFlags struct {
	streams
	hostsDir              string
	plainHTTP, skipVerify bool
	user                  string
	passwordStdin         bool
}

func newRegistryFlags(flags *pflag.FlagSet, s streams) *registryFlags {
	f := &registryFlags{streams: s}
	flags.StringVar(&f.hostsDir, "hosts-dir", "", "`DIR` of registries' hosts.toml (default \""+snapshot.DefaultHostsDir+"\" where it exists)")
	flags.BoolVar(&f.plainHTTP, "plain-http", false, "reach registries by HTTP, not HTTPS")
	flags.BoolVar(&f.skipVerify, "skip-verify", false, "take any certificate of a registry")
	flags.StringVar(&f.user, "creds", "", "log in to the image's registry as `USER`; the password is asked for (default from docker's config.json [$DOCKER_CONFIG])")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password of --creds from standard input")
	return f
}

// check reads the flags, before anything is asked or opened.
func (f *registryFlags) check() error {
	switch {
	case strings.Contains(f.user, ":"):
		// The value is not repeated: there may be a password in it.
		return usagef("reading --creds: it takes a user alone: the password is asked for, or read with --password-stdin")
	case f.passwordStdin && f.user == "":
		return usagef("reading --password-stdin: there is no user: name one with --creds")
	}
	if f.hostsDir == "" {
		return nil
	}
	info, err := os.Stat(f.hostsDir)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("reading --hosts-dir %q: %w", f.hostsDir, path.Err)
	case !info.IsDir():
		return fmt.Errorf("reading --hosts-dir %q: it is no directory", f.hostsDir)
	}
	return nil
}

// registry gives what the flags say, after check; pulls says whether the source
// may have to be pulled at all, without which nobody is asked for a password.
func (f *registryFlags) registry(ctx context.Context, pulls bool) (snapshot.Registry, error) {
	r := snapshot.Registry{HostsDir: f.hostsDir, PlainHTTP: f.plainHTTP, SkipVerify: f.skipVerify}
	if !pulls {
		return r, nil
	}
	if r.HostsDir == "" {
		// Where it does not exist, it says nothing of any registry.
		r.HostsDir = snapshot.DefaultHostsDir
	}
	if f.user == "" {
		return r, nil
	}
	password, err := f.password(ctx)
	if err != nil {
		return r, err
	}
	if password == "" {
		return r, usagef("reading the password of %q: it is empty", f.user)
	}
	r.User, r.Password = f.user, password
	return r, nil
}

// maxPassword bounds what is read from standard input: keys of service
// accounts, which stand for passwords, have some thousand bytes.
const maxPassword = 64 << 10

func (f *registryFlags) password(ctx context.Context) (string, error) {
	if f.passwordStdin {
		text, err := files.ReadAtMost(ctx, f.in, maxPassword)
		if err != nil {
			return "", fmt.Errorf("reading the password from standard input: %w", err)
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
	}
	fd := int(f.in.Fd())
	if !term.IsTerminal(fd) {
		return "", usagef("reading the password of %q: standard input is no terminal: use --password-stdin", f.user)
	}
	fmt.Fprintf(f.errors, "Password of %s: ", f.user)
	password, err := f.typed(ctx, fd)
	fmt.Fprintln(f.errors)
	return password, err
}

// typed reads a line without echo. A signal ends it, and gives the terminal
// its echo back.
func (f *registryFlags) typed(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	text, err := hostfile.Await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) }, func([]byte) {})
	if ctx.Err() != nil {
		if err := term.Restore(fd, before); err != nil {
			return "", fmt.Errorf("restoring the terminal: %w", err)
		}
	}
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return string(text), nil
}
