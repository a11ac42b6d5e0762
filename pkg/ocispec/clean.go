package ocispec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// Dropped is an entry of an image's config that is left out of config.json, because
// a runtime would refuse to start with it or the runtime-spec forbids it.
type Dropped struct {
	// Field is the field's name in the image config: Env, Labels or Volumes.
	Field string
	// Value is the entry as it stands there, of Labels and Volumes its key.
	Value string
	// Why completes a sentence: it has no "=".
	Why string
}

// Clean gives img as New reads it: without the entries that builders let through
// and that config.json cannot have. They are in dropped, except for those that o replaces
// anyway. img is not changed, and cleaning the result again changes nothing.
//
//   - An Entrypoint of one empty string is no Entrypoint, as docker's API says.
//   - An Env entry has a name and a value without zero bytes. Of several with one
//     name the last value counts, as for runc, in the first one's place.
//   - A key of Labels is not empty (runtime-spec config.md, Annotations).
//   - A key of Volumes is a clean path below "/", to which a relative one is
//     relative; there is none where o leaves them out or mounts something else.
func Clean(img ispec.Image, o Options) (cleaned ispec.Image, dropped []Dropped) {
	config := &img.Config
	if len(config.Entrypoint) == 1 && config.Entrypoint[0] == "" {
		config.Entrypoint = nil
	}
	config.Env, dropped = cleanEnv(config.Env)
	dropped = slices.DeleteFunc(dropped, func(d Dropped) bool { return hasVariable(o.Env, variableName(d.Value)) })
	if _, has := config.Labels[""]; has {
		config.Labels = maps.Clone(config.Labels)
		delete(config.Labels, "")
		dropped = append(dropped, Dropped{Field: "Labels", Why: "an annotation of config.json has a name"})
	}
	if o.Volumes == VolumesNone {
		config.Volumes = nil
		return img, dropped
	}
	volumes, unfit := cleanVolumes(config.Volumes, o.Mounts)
	config.Volumes = volumes
	return img, append(dropped, unfit...)
}

func cleanEnv(env []string) (kept []string, dropped []Dropped) {
	drop := func(variable, why string) {
		dropped = append(dropped, Dropped{Field: "Env", Value: variable, Why: why})
	}
	place := map[string]int{} // in kept, by name
	for _, variable := range env {
		name := variableName(variable)
		if why := unsettable(name, variable); why != "" {
			drop(variable, why)
			continue
		}
		i, twice := place[name]
		switch {
		case !twice:
			place[name] = len(kept)
			kept = append(kept, variable)
		case kept[i] != variable:
			drop(kept[i], fmt.Sprintf("a later entry sets %q, too", name))
			kept[i] = variable
		}
	}
	return kept, dropped
}

// unsettable says why no process can have the variable, empty if one can.
func unsettable(name, variable string) string {
	switch {
	case name == variable:
		return `it has no "="`
	case name == "":
		return "it has no name"
	case strings.Contains(variable, "\x00"):
		return "it has a zero byte"
	}
	return ""
}

func cleanVolumes(volumes map[string]struct{}, mounts []rspec.Mount) (kept map[string]struct{}, dropped []Dropped) {
	for _, volume := range sortedKeys(volumes) {
		at := path.Clean("/" + volume)
		if slices.ContainsFunc(mounts, func(m rspec.Mount) bool { return path.Clean(m.Destination) == at }) {
			continue
		}
		if why := Unmountable(at); why != "" {
			dropped = append(dropped, Dropped{Field: "Volumes", Value: volume, Why: why})
			continue
		}
		if kept == nil {
			kept = make(map[string]struct{})
		}
		kept[at] = struct{}{}
	}
	return kept, dropped
}

var (
	// kernelMounts are the default mounts in which nothing else can be mounted:
	// only the kernel makes files there.
	kernelMounts = []string{"/proc", "/sys", "/dev/pts", "/dev/mqueue"}
	// tmpfsMounts are the other default mounts, in which something can.
	tmpfsMounts = []string{"/dev", "/dev/shm"}
	// madeDevices are made by every runtime (runtime-spec config-linux.md,
	// Default Devices), /dev/console only for a terminal.
	madeDevices = []string{
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx",
	}
)

// Linux's limits of a path and of a name in it (limits.h): PATH_MAX counts a zero
// byte at the end.
const (
	maxPath = 4096 - 1
	maxName = 255
)

// Unmountable says why no volume can be mounted at an absolute and clean path of
// the root, empty if one can.
func Unmountable(at string) string {
	within := func(dir string) bool { return at == dir || strings.HasPrefix(at, dir+"/") }
	switch {
	case at == "/":
		return "nothing can be mounted on the root itself"
	case strings.Contains(at, "\x00"):
		return "no path has a zero byte"
	case len(at) > maxPath || slices.ContainsFunc(strings.Split(at, "/"), func(name string) bool { return len(name) > maxName }):
		return fmt.Sprintf("no path is longer than %d bytes, and no name in it than %d", maxPath, maxName)
	case slices.Contains(tmpfsMounts, at):
		return "a tmpfs is there already"
	}
	if i := slices.IndexFunc(kernelMounts, within); i >= 0 {
		return fmt.Sprintf("the kernel's own files are in %q", kernelMounts[i])
	}
	if i := slices.IndexFunc(madeDevices, within); i >= 0 {
		return fmt.Sprintf("runtimes make the device %q", madeDevices[i])
	}
	return ""
}
