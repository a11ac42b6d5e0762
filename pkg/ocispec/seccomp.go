package ocispec

import (
	"fmt"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// The words for Options.Seccomp.
const (
	SeccompNone    = "none"
	SeccompDefault = "default"
)

// seccomp gives the filter that the options ask for; nil is none.
func seccomp(architecture string, caps []string, o Options) (*rspec.LinuxSeccomp, error) {
	if o.SeccompProfile != nil && o.Seccomp != "" {
		return nil, fmt.Errorf("choosing the seccomp profile: %q and a profile of one's own", o.Seccomp)
	}
	switch o.Seccomp {
	case "", SeccompNone:
		return o.SeccompProfile, nil
	case SeccompDefault:
		return defaultSeccomp(architecture, caps)
	}
	return nil, fmt.Errorf("reading seccomp %q: want %q or %q", o.Seccomp, SeccompDefault, SeccompNone)
}
