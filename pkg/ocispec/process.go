package ocispec

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultPath is what docker and containerd give an image without one.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// newProcess fills in what conversion.md, Verbatim Fields, names.
func newProcess(config ispec.ImageConfig, id identity, o Options) (*rspec.Process, error) {
	args, err := processArgs(config, o)
	if err != nil {
		return nil, err
	}
	cwd, err := processCwd(config, o)
	if err != nil {
		return nil, err
	}
	env, err := processEnv(config.Env, id.home, o)
	if err != nil {
		return nil, err
	}
	return &rspec.Process{
		Terminal: o.TTY,
		User:     rspec.User{UID: id.uid, GID: id.gid, AdditionalGids: id.groups},
		Args:     args,
		Env:      env,
		Cwd:      cwd,
		// containerd's default: enough for what an image itself opens.
		Rlimits:         []rspec.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},
		NoNewPrivileges: o.NoNewPrivileges == nil || *o.NoNewPrivileges,
	}, nil
}

// processArgs appends Cmd to Entrypoint (conversion.md, Verbatim Fields, 2).
func processArgs(config ispec.ImageConfig, o Options) ([]string, error) {
	args := slices.Concat(config.Entrypoint, config.Cmd)
	if len(o.Args) > 0 {
		args = slices.Clone(o.Args)
	}
	switch {
	case len(args) == 0:
		return nil, fmt.Errorf("making process.args: %w", ErrNoArgs)
	case args[0] == "":
		return nil, fmt.Errorf("making process.args of %q: %w", args, ErrEmptyCommand)
	}
	return args, nil
}

func processCwd(config ispec.ImageConfig, o Options) (string, error) {
	cwd := cmp.Or(o.Cwd, config.WorkingDir, "/")
	switch {
	case path.IsAbs(cwd): // runtime-spec config.md, process.cwd: a MUST
		return cwd, nil
	case o.Cwd != "":
		return "", fmt.Errorf("reading cwd %q: not an absolute path", cwd)
	}
	return "", fmt.Errorf("reading the image's WorkingDir %q: %w", cwd, ErrRelativeWorkingDir)
}

// processEnv adds defaults only for names that neither the image nor the
// options have (conversion.md, Verbatim Fields, 1), then applies the options.
func processEnv(image []string, home string, o Options) ([]string, error) {
	env := slices.Clone(image)
	defaults := []string{"PATH=" + defaultPath, "HOME=" + home}
	if o.TTY {
		defaults = append(defaults, "TERM=xterm")
	}
	for _, d := range defaults {
		name := variableName(d)
		if !hasVariable(env, name) && !hasVariable(o.Env, name) {
			env = append(env, d)
		}
	}
	for _, variable := range o.Env {
		if variableName(variable) == "" {
			return nil, fmt.Errorf("reading env %q: want NAME=VALUE or NAME", variable)
		}
		env = setVariable(env, variable)
	}
	return env, nil
}

func variableName(variable string) string {
	name, _, _ := strings.Cut(variable, "=")
	return name
}

func hasVariable(env []string, name string) bool {
	return slices.ContainsFunc(env, func(v string) bool { return variableName(v) == name })
}

// setVariable puts the variable in the place of the first one of its name, so
// that the order of the others stays. One without a value is removed.
func setVariable(env []string, variable string) []string {
	name := variableName(variable)
	same := func(v string) bool { return variableName(v) == name }
	at := slices.IndexFunc(env, same)
	env = slices.DeleteFunc(env, same)
	if !strings.Contains(variable, "=") {
		return env
	}
	if at < 0 {
		at = len(env)
	}
	return slices.Insert(env, at, variable)
}
