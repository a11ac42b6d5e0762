package ocispec

import (
	_ "embed"
	"fmt"
	"iter"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// seccompSyscalls is the list of what the default profile allows: see its
// first lines for the form.
//
//go:embed seccomp_default.txt
var seccompSyscalls string

// seccompArchitecture gives, for a GOARCH, the architectures whose system
// calls its processes can make, the native one first.
var seccompArchitecture = map[string][]rspec.Arch{
	"386":      {rspec.ArchX86},
	"amd64":    {rspec.ArchX86_64, rspec.ArchX86, rspec.ArchX32},
	"arm":      {rspec.ArchARM},
	"arm64":    {rspec.ArchAARCH64, rspec.ArchARM},
	"loong64":  {rspec.ArchLOONGARCH64},
	"mips":     {rspec.ArchMIPS},
	"mipsle":   {rspec.ArchMIPSEL},
	"mips64":   {rspec.ArchMIPS64, rspec.ArchMIPS, rspec.ArchMIPS64N32},
	"mips64le": {rspec.ArchMIPSEL64, rspec.ArchMIPSEL, rspec.ArchMIPSEL64N32},
	"ppc64":    {rspec.ArchPPC64},
	"ppc64le":  {rspec.ArchPPC64LE},
	"riscv64":  {rspec.ArchRISCV64},
	"s390x":    {rspec.ArchS390X, rspec.ArchS390},
}

// cloneNewNamespaces is CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER,
// NEWPID and NEWNET of sched.h.
const cloneNewNamespaces = 0x7E020000

// enosys is the same on every architecture above but mips, whose is 89.
const enosys, enosysMIPS = 38, 89

// defaultSeccomp gives the profile that containerd and docker share, for the
// architecture of the image rather than of this program, and for a kernel of
// 4.8 or newer (before that, ptrace could leave the filter).
func defaultSeccomp(architecture string, caps []string) (*rspec.LinuxSeccomp, error) {
	architectures, known := seccompArchitecture[architecture]
	if !known {
		return nil, fmt.Errorf("making the default seccomp profile: architecture %q: unknown", architecture)
	}
	s := &rspec.LinuxSeccomp{DefaultAction: rspec.ActErrno, Architectures: slices.Clone(architectures)}
	allow := func(names []string, args ...rspec.LinuxSeccompArg) {
		s.Syscalls = append(s.Syscalls, rspec.LinuxSyscall{Names: names, Action: rspec.ActAllow, Args: args})
	}
	for condition, names := range seccompGroups() {
		kind, value, _ := strings.Cut(condition, " ")
		if kind == "always" || kind == "arch" && value == architecture || kind == "cap" && slices.Contains(caps, value) {
			allow(names)
		}
	}
	for _, family := range socketFamilies() {
		allow([]string{"socket"}, family)
	}
	// personality(2): PER_LINUX, PER_LINUX32, each also with UNAME26, and
	// the value that only asks.
	for _, persona := range []uint64{0x0, 0x8, 0x20000, 0x20008, 0xffffffff} {
		allow([]string{"personality"}, rspec.LinuxSeccompArg{Index: 0, Value: persona, Op: rspec.OpEqualTo})
	}
	if !slices.Contains(caps, "CAP_SYS_ADMIN") {
		allow([]string{"clone"}, cloneArgument(architecture))
		// clone3 has its flags in memory, where a filter cannot look. C
		// libraries fall back to clone on ENOSYS, but not on EPERM.
		s.Syscalls = append(s.Syscalls, rspec.LinuxSyscall{
			Names: []string{"clone3"}, Action: rspec.ActErrno, ErrnoRet: new(noSuchCall(architecture)),
		})
	}
	return s, nil
}

// cloneArgument matches a clone(2) that makes no namespace. On s390 the flags
// are the second argument.
func cloneArgument(architecture string) rspec.LinuxSeccompArg {
	arg := rspec.LinuxSeccompArg{Index: 0, Value: cloneNewNamespaces, ValueTwo: 0, Op: rspec.OpMaskedEqual}
	if architecture == "s390x" {
		arg.Index = 1
	}
	return arg
}

func noSuchCall(architecture string) uint {
	if strings.HasPrefix(architecture, "mips") {
		return enosysMIPS
	}
	return enosys
}

// socketFamilies match the families of socket(2) that are allowed: all that
// Linux has but AF_ALG (38, the kernel's crypto) and AF_VSOCK (40, the host).
// A family is one rule, since rules with two bounds on one argument are taken
// as alternatives by runc.
func socketFamilies() []rspec.LinuxSeccompArg {
	const afALG = 38
	args := []rspec.LinuxSeccompArg{{Index: 0, Value: afALG, Op: rspec.OpLessThan}}
	for _, family := range []uint64{39, 41, 42, 43, 44, 45} { // NFC, KCM, QIPCRTR, SMC, XDP, MCTP
		args = append(args, rspec.LinuxSeccompArg{Index: 0, Value: family, Op: rspec.OpEqualTo})
	}
	return args
}

// seccompGroups gives the conditions of seccomp_default.txt with their names,
// in the file's order.
func seccompGroups() iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, group := range strings.Split(seccompSyscalls, "\n[")[1:] {
			condition, names, _ := strings.Cut(group, "]\n")
			if !yield(condition, strings.Fields(names)) {
				return
			}
		}
	}
}
