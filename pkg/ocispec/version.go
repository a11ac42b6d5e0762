package ocispec

import (
	"regexp"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// baseVersion has every field that a plain spec uses.
const baseVersion = "1.0.2"

// versionPattern is runtime-spec's: SemVer 2.0.0 (config.md, ociVersion).
var versionPattern = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

func isVersion(s string) bool { return versionPattern.MatchString(s) }

// newerFields are the fields that New can write and 1.0.2 lacks, the latest
// version first (runtime-spec's ChangeLog).
var newerFields = []struct {
	version string
	used    func(*rspec.Spec) bool
}{
	{"1.2.1", usesNewArchitectures}, // #1229
	{"1.2.0", usesIDMapOptions},     // #1222
	{"1.1.0", usesMountMappings},    // #1143
	{"1.1.0", usesNewSeccomp},       // #1041, #1044, #1059, #1064, #1074, #1087, #1161
}

// lowestVersion gives the lowest ociVersion that has all the fields in use:
// a runtime may refuse a version that is newer than itself (crun 1.8 does).
func lowestVersion(spec *rspec.Spec) string {
	for _, f := range newerFields {
		if f.used(spec) {
			return f.version
		}
	}
	return baseVersion
}

func usesIDMapOptions(spec *rspec.Spec) bool {
	return slices.ContainsFunc(spec.Mounts, func(m rspec.Mount) bool {
		return slices.Contains(m.Options, "idmap") || slices.Contains(m.Options, "ridmap")
	})
}

func usesMountMappings(spec *rspec.Spec) bool {
	return slices.ContainsFunc(spec.Mounts, func(m rspec.Mount) bool {
		return len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0
	})
}

func usesNewArchitectures(spec *rspec.Spec) bool {
	if spec.Linux.Seccomp == nil {
		return false
	}
	return slices.ContainsFunc(spec.Linux.Seccomp.Architectures, func(a rspec.Arch) bool {
		return a == rspec.ArchLOONGARCH64 || a == rspec.ArchM68K || a == rspec.ArchSH || a == rspec.ArchSHEB
	})
}

func usesNewSeccomp(spec *rspec.Spec) bool {
	s := spec.Linux.Seccomp
	if s == nil {
		return false
	}
	return s.DefaultErrnoRet != nil || s.ListenerPath != "" || s.ListenerMetadata != "" ||
		isNewAction(s.DefaultAction) ||
		slices.Contains(s.Architectures, rspec.ArchRISCV64) ||
		slices.Contains(s.Flags, rspec.LinuxSeccompFlagWaitKillableRecv) ||
		slices.ContainsFunc(s.Syscalls, func(c rspec.LinuxSyscall) bool {
			return c.ErrnoRet != nil || isNewAction(c.Action)
		})
}

func isNewAction(a rspec.LinuxSeccompAction) bool {
	return a == rspec.ActKillProcess || a == rspec.ActKillThread || a == rspec.ActNotify
}
