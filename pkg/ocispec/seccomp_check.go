package ocispec

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

var (
	seccompActions = []rspec.LinuxSeccompAction{
		rspec.ActKill, rspec.ActKillProcess, rspec.ActKillThread, rspec.ActTrap, rspec.ActErrno,
		rspec.ActTrace, rspec.ActAllow, rspec.ActLog, rspec.ActNotify,
	}
	seccompOperators = []rspec.LinuxSeccompOperator{
		rspec.OpNotEqual, rspec.OpLessThan, rspec.OpLessEqual, rspec.OpEqualTo,
		rspec.OpGreaterEqual, rspec.OpGreaterThan, rspec.OpMaskedEqual,
	}
	seccompFlags = []rspec.LinuxSeccompFlag{
		rspec.LinuxSeccompFlagLog, rspec.LinuxSeccompFlagSpecAllow, rspec.LinuxSeccompFlagWaitKillableRecv,
		"SECCOMP_FILTER_FLAG_TSYNC",
	}
	seccompArchitectures = []rspec.Arch{
		rspec.ArchX86, rspec.ArchX86_64, rspec.ArchX32, rspec.ArchARM, rspec.ArchAARCH64, rspec.ArchMIPS,
		rspec.ArchMIPS64, rspec.ArchMIPS64N32, rspec.ArchMIPSEL, rspec.ArchMIPSEL64, rspec.ArchMIPSEL64N32,
		rspec.ArchPPC, rspec.ArchPPC64, rspec.ArchPPC64LE, rspec.ArchS390, rspec.ArchS390X, rspec.ArchPARISC,
		rspec.ArchPARISC64, rspec.ArchRISCV64, rspec.ArchLOONGARCH64, rspec.ArchM68K, rspec.ArchSH, rspec.ArchSHEB,
	}
)

// dockerSeccomp are the keys that only docker's profiles have. Docker resolves
// them for a host; left unread, they would let through more than they say.
type dockerSeccomp struct {
	ArchMap  json.RawMessage `json:"archMap"`
	Syscalls []struct {
		Name     string          `json:"name"`
		Includes json.RawMessage `json:"includes"`
		Excludes json.RawMessage `json:"excludes"`
	} `json:"syscalls"`
}

// ParseSeccomp reads data, a JSON file, as runtime-spec's linux.seccomp, which
// is what nerdctl and ctr take, too. Errors are as in Check.
func ParseSeccomp(data []byte) (*rspec.LinuxSeccomp, error) {
	profile := new(rspec.LinuxSeccomp)
	if err := decode(data, profile); err != nil {
		return nil, err
	}
	var docker dockerSeccomp
	if err := decode(data, &docker); err != nil {
		return nil, err
	}
	if docker.ArchMap != nil {
		return nil, errors.New("reading archMap: docker's own; want runtime-spec's linux.seccomp")
	}
	for i, call := range docker.Syscalls {
		if call.Name != "" || !isEmpty(call.Includes) || !isEmpty(call.Excludes) {
			return nil, fmt.Errorf("reading syscalls[%d]: name, includes and excludes are docker's own; want runtime-spec's linux.seccomp", i)
		}
	}
	return profile, checkSeccomp(profile)
}

func isEmpty(object json.RawMessage) bool {
	return len(object) == 0 || slices.Contains([]string{"null", "{}"}, string(object))
}

// checkSeccomp: config-linux.md, Seccomp. An empty profile has no default
// action, and so is an error.
func checkSeccomp(s *rspec.LinuxSeccomp) error {
	if !slices.Contains(seccompActions, s.DefaultAction) {
		return fmt.Errorf("reading seccomp defaultAction %q: unknown", s.DefaultAction)
	}
	for _, a := range s.Architectures {
		if !slices.Contains(seccompArchitectures, a) {
			return fmt.Errorf("reading seccomp architecture %q: unknown", a)
		}
	}
	for _, f := range s.Flags {
		if !slices.Contains(seccompFlags, f) {
			return fmt.Errorf("reading seccomp flag %q: unknown", f)
		}
	}
	for i, call := range s.Syscalls {
		if err := checkSyscall(call); err != nil {
			return fmt.Errorf("reading seccomp syscalls[%d]: %w", i, err)
		}
	}
	return nil
}

func checkSyscall(call rspec.LinuxSyscall) error {
	if len(call.Names) == 0 || slices.Contains(call.Names, "") {
		return errors.New("names: want at least one, none empty")
	}
	if !slices.Contains(seccompActions, call.Action) {
		return fmt.Errorf("action %q: unknown", call.Action)
	}
	for _, arg := range call.Args {
		if arg.Index > 5 {
			return fmt.Errorf("args index %d: a system call has six, from 0", arg.Index)
		}
		if !slices.Contains(seccompOperators, arg.Op) {
			return fmt.Errorf("args op %q: unknown", arg.Op)
		}
	}
	return nil
}
