// Package ocispec makes a runtime-spec config.json out of an image config, by
// the rules of image-spec's conversion.md and config.md.
//
// It is pure: values and bytes in, a Spec out. It opens no file, so whoever
// calls it reads etc/passwd and etc/group, inside the root; it looks at no
// host, so the same input gives the same config.json on every machine. It
// knows Linux only, and neither starts nor changes a bundle.
package ocispec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// RootPath is the root.path of every config.json made or accepted here: the
// directory of a bundle that holds its root filesystem.
const RootPath = "rootfs"

// ErrNoArgs is wrapped by New's error where neither the image nor Options
// says what to run.
var ErrNoArgs = errors.New("the image has no Entrypoint and no Cmd")

// ErrEmptyCommand is wrapped by New's error where the command to run is an
// empty string, which no runtime can start.
var ErrEmptyCommand = errors.New("the command is an empty string")

// ErrRelativeWorkingDir is wrapped by New's error where the image's WorkingDir is
// relative, which process.cwd may not be.
var ErrRelativeWorkingDir = errors.New("not an absolute path")

// VolumeMode says what becomes of the image's volumes.
type VolumeMode string

const (
	// VolumesTmpfs is the default: each is a tmpfs, which the runtime fills with
	// what the image has there.
	VolumesTmpfs VolumeMode = "tmpfs"
	// VolumesNone leaves them out: what the image has there is part of its root.
	VolumesNone VolumeMode = "none"
)

// Options change what the image says. The zero value changes nothing.
type Options struct {
	// Args is the whole process.args, instead of the image's Entrypoint and
	// Cmd; empty keeps those.
	Args []string
	// Env holds NAME=VALUE, which adds a variable or replaces the image's,
	// and NAME, which removes it. The last one of a name wins.
	Env []string
	// Cwd is an absolute path; empty keeps the image's WorkingDir.
	Cwd string
	// User has the grammar of the image's User (config.md: user, uid,
	// user:group, uid:gid, uid:group, user:gid); empty keeps the image's.
	User string
	// UserGroups says which users get additional groups.
	UserGroups UserGroups
	// Hostname is at most MaxHostname bytes; empty leaves it to the runtime.
	Hostname string
	// TTY gives the process a terminal, and TERM where nobody set it.
	TTY bool
	// ReadOnly makes the root filesystem read-only.
	ReadOnly bool
	// Rootless, where set, makes a spec that this user of the host can start
	// without privilege; see HostUser.
	Rootless *HostUser
	// Volumes is what becomes of the image's volumes; empty is VolumesTmpfs.
	Volumes VolumeMode
	// Mounts are added, and take the place of a default mount or a volume
	// with the same destination; a bind on /dev takes away the defaults below
	// it, too. ParseMount reads docker's syntax.
	Mounts []rspec.Mount
	// CapAdd and CapDrop change the default capabilities as docker does:
	// names in any case, with or without CAP_, or ALL.
	CapAdd, CapDrop []string
	// Seccomp is the system call filter: SeccompNone, where empty too, or
	// SeccompDefault.
	Seccomp string
	// SeccompProfile is a filter of the user's own, from ParseSeccomp, and
	// excludes Seccomp.
	SeccompProfile *rspec.LinuxSeccomp
	// Annotations win over the image's labels and what follows from it.
	Annotations map[string]string
	// Memory is the limit in bytes; 0 sets none. ParseMemory reads "512m".
	Memory int64
	// CPUs is how many CPUs' worth of time may be used, 0.01 or more; 0 sets
	// no limit.
	CPUs float64
	// PidsLimit is how many processes there may be; 0 sets no limit of its
	// own, -1 asks for none.
	PidsLimit int64
	// NoNewPrivileges keeps setuid programs from gaining anything; nil is
	// true, as in containerd's default.
	NoNewPrivileges *bool
	// OCIVersion is written as ociVersion; empty is the lowest version that
	// has all the fields used.
	OCIVersion string
}

// New gives the runtime configuration of img by conversion.md, with the
// defaults of this package and the changes of o. acc is needed only where
// NeedsAccounts says so. An error says what of the image or the options
// cannot be converted; a user or group that does not exist is one. What Clean
// drops is left out.
func New(img ispec.Image, acc Accounts, o Options) (*rspec.Spec, error) {
	if err := checkImage(img); err != nil {
		return nil, err
	}
	img, _ = Clean(img, o)
	if err := checkOptions(o); err != nil {
		return nil, err
	}
	id, err := resolveUser(userOf(img, o), o.UserGroups, acc)
	if err != nil {
		return nil, err
	}
	caps, err := capabilities(o.CapAdd, o.CapDrop)
	if err != nil {
		return nil, err
	}
	process, err := newProcess(img.Config, id, o)
	if err != nil {
		return nil, err
	}
	process.Capabilities = &rspec.LinuxCapabilities{Bounding: caps, Effective: slices.Clone(caps), Permitted: slices.Clone(caps)}
	mounts, err := newMounts(img.Config.Volumes, id, o.Mounts)
	if err != nil {
		return nil, err
	}
	spec := &rspec.Spec{
		Process:     process,
		Root:        &rspec.Root{Path: RootPath, Readonly: o.ReadOnly},
		Hostname:    o.Hostname,
		Mounts:      mounts,
		Annotations: annotations(img),
		Linux:       defaultLinux(),
	}
	maps.Copy(spec.Annotations, o.Annotations)
	setResources(spec.Linux.Resources, o)
	if spec.Linux.Seccomp, err = seccomp(img.Architecture, caps, o); err != nil {
		return nil, err
	}
	if o.Rootless != nil {
		if err := makeRootless(spec, *o.Rootless); err != nil {
			return nil, err
		}
	}
	if spec.Version = o.OCIVersion; spec.Version == "" {
		spec.Version = lowestVersion(spec)
	}
	return spec, checkText(spec)
}

// Marshal gives spec as the bytes of a config.json: the same for the same
// spec, indented, ending in a newline.
func Marshal(spec *rspec.Spec) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a command line with && stays legible
	e.SetIndent("", "\t")
	if err := e.Encode(spec); err != nil {
		return nil, fmt.Errorf("encoding config.json: %w", err)
	}
	return b.Bytes(), nil
}

// checkImage refuses what conversion.md cannot convert to a Linux spec.
func checkImage(img ispec.Image) error {
	// An absent os is what images of before the OCI have.
	if img.OS != "" && img.OS != "linux" {
		return fmt.Errorf("reading the image config: os %q: only linux can be converted", img.OS)
	}
	// config.md, rootfs.type: an unknown value MUST be an error.
	if img.RootFS.Type != "layers" {
		return fmt.Errorf("reading the image config: rootfs.type %q: want \"layers\"", img.RootFS.Type)
	}
	return nil
}
