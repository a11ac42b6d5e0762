package ocispec

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// MaxHostname is the length that sethostname(2) takes, in bytes.
const MaxHostname = 64

// minCPUs gives a quota of one millisecond, the least that the kernel takes.
const minCPUs = 0.01

// maxCPUs is far over any machine, and its quota far under what overflows.
const maxCPUs = 1e6

// Check refuses what could be converted with no image at all, so that a caller
// can say it before it opens one. New refuses the same.
func (o Options) Check() error {
	if err := checkOptions(o); err != nil {
		return err
	}
	if _, err := capabilities(o.CapAdd, o.CapDrop); err != nil {
		return err
	}
	if _, err := newMounts(nil, identity{}, o.Mounts); err != nil {
		return err
	}
	if len(o.Args) > 0 {
		if _, err := processArgs(ispec.ImageConfig{}, o); err != nil {
			return err
		}
	}
	if _, err := processCwd(ispec.ImageConfig{}, o); err != nil {
		return err
	}
	if _, err := processEnv(nil, "", o); err != nil {
		return err
	}
	return checkUser(o.User)
}

// checkUser refuses what is no user or group whatever the root's files say.
func checkUser(s string) error {
	user, group, err := splitUser(s)
	if err != nil {
		return err
	}
	if isNumber(user) {
		if _, err := number("user", user); err != nil {
			return err
		}
	}
	if isNumber(group) {
		_, err = number("group", group)
	}
	return err
}

// checkOptions refuses values that no runtime could apply.
func checkOptions(o Options) error {
	switch o.UserGroups {
	case "", UserGroupsSpec, UserGroupsDocker:
	default:
		return fmt.Errorf("reading user groups %q: want %q or %q", o.UserGroups, UserGroupsSpec, UserGroupsDocker)
	}
	switch o.Volumes {
	case "", VolumesTmpfs, VolumesNone:
	default:
		return fmt.Errorf("reading volumes %q: want %q or %q", o.Volumes, VolumesTmpfs, VolumesNone)
	}
	if len(o.Hostname) > MaxHostname {
		return fmt.Errorf("reading hostname %q: over %d bytes", o.Hostname, MaxHostname)
	}
	for key := range o.Annotations {
		// runtime-spec config.md, Annotations: keys MUST NOT be empty.
		if key == "" {
			return errors.New("reading annotations: a key is empty")
		}
	}
	if o.OCIVersion != "" && !isVersion(o.OCIVersion) {
		return fmt.Errorf("reading OCI version %q: want MAJOR.MINOR.PATCH", o.OCIVersion)
	}
	return checkLimits(o)
}

func checkLimits(o Options) error {
	if o.Memory < 0 {
		return fmt.Errorf("reading memory %d: want a number of bytes", o.Memory)
	}
	// The second test is true for NaN, too.
	if o.CPUs != 0 && !(o.CPUs >= minCPUs && o.CPUs <= maxCPUs) {
		return fmt.Errorf("reading CPUs %v: want a number from %v to %v", o.CPUs, minCPUs, math.Round(maxCPUs))
	}
	if o.PidsLimit < -1 {
		return fmt.Errorf("reading pids limit %d: want a number, or -1", o.PidsLimit)
	}
	if o.Rootless != nil && (o.Memory != 0 || o.CPUs != 0 || o.PidsLimit != 0) {
		return errors.New("making a rootless spec: memory, CPUs and pids cannot be limited there")
	}
	return nil
}

// checkText refuses strings that JSON cannot hold, which the encoder would
// change without a word, and those that no system call can take.
func checkText(spec *rspec.Spec) error {
	p := spec.Process
	system := map[string][]string{"args": p.Args, "env": p.Env, "cwd": {p.Cwd}, "hostname": {spec.Hostname}}
	for _, m := range spec.Mounts {
		system["mounts"] = append(system["mounts"], m.Destination, m.Source, m.Type)
		system["mounts"] = append(system["mounts"], m.Options...)
	}
	for _, what := range sortedKeys(system) {
		for _, s := range system[what] {
			if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
				return fmt.Errorf("writing %s %q: not UTF-8 without a zero byte", what, s)
			}
		}
	}
	for _, key := range sortedKeys(spec.Annotations) {
		if value := spec.Annotations[key]; !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("writing annotation %q: not UTF-8", key+"="+value)
		}
	}
	return nil
}
