package ocispec

import (
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

func allowed(s *rspec.LinuxSeccomp, name string) bool {
	return slices.ContainsFunc(s.Syscalls, func(c rspec.LinuxSyscall) bool {
		return c.Action == rspec.ActAllow && slices.Contains(c.Names, name) && len(c.Args) == 0
	})
}

func TestDefaultSeccompByCapability(t *testing.T) {
	for _, c := range []struct{ caps, allowed, denied string }{
		{"", "read openat ptrace getxattrat", "chroot mount bpf reboot clone clone3 socket personality open_by_handle_at keyctl userfaultfd kexec_load"},
		{"CAP_SYS_CHROOT", "chroot", "mount"},
		{"CAP_SYS_ADMIN", "mount clone clone3 unshare setns bpf syslog", "reboot chroot"},
		{"CAP_BPF CAP_SYSLOG CAP_PERFMON", "bpf syslog perf_event_open", "mount"},
		{"CAP_SYS_TIME CAP_SYS_BOOT", "stime clock_settime64 reboot", "acct"},
		{"CAP_DAC_READ_SEARCH", "open_by_handle_at", "mount"},
	} {
		s, err := defaultSeccomp("amd64", strings.Fields(c.caps))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields(c.allowed) {
			if !allowed(s, name) {
				t.Errorf("caps %q: %s is denied", c.caps, name)
			}
		}
		for _, name := range strings.Fields(c.denied) {
			if allowed(s, name) {
				t.Errorf("caps %q: %s is allowed", c.caps, name)
			}
		}
	}
}

func TestDefaultSeccompByArchitecture(t *testing.T) {
	for _, c := range []struct {
		arch, architectures, allowed, denied string
		cloneArg                             uint
		enosys                               uint
	}{
		{"amd64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32", "arch_prctl", "cacheflush", 0, 38},
		{"386", "SCMP_ARCH_X86", "modify_ldt", "arch_prctl", 0, 38},
		{"arm64", "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM", "cacheflush", "arch_prctl", 0, 38},
		{"ppc64le", "SCMP_ARCH_PPC64LE", "swapcontext", "modify_ldt", 0, 38},
		{"s390x", "SCMP_ARCH_S390X SCMP_ARCH_S390", "s390_runtime_instr", "modify_ldt", 1, 38},
		{"riscv64", "SCMP_ARCH_RISCV64", "riscv_hwprobe", "modify_ldt", 0, 38},
		{"mips64le", "SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64N32", "read", "modify_ldt", 0, 89},
	} {
		s, err := defaultSeccomp(c.arch, nil)
		if err != nil {
			t.Fatal(err)
		}
		var architectures []string
		for _, a := range s.Architectures {
			architectures = append(architectures, string(a))
		}
		equal(t, c.arch, strings.Join(architectures, " "), c.architectures)
		if !allowed(s, c.allowed) || allowed(s, c.denied) {
			t.Errorf("%s: %s allowed is %v, %s allowed is %v", c.arch, c.allowed, allowed(s, c.allowed), c.denied, allowed(s, c.denied))
		}
		for _, call := range s.Syscalls {
			if call.Names[0] == "clone" && call.Args[0].Index != c.cloneArg {
				t.Errorf("%s: clone looks at argument %d", c.arch, call.Args[0].Index)
			}
			if call.Names[0] == "clone3" && (call.Action != rspec.ActErrno || *call.ErrnoRet != c.enosys) {
				t.Errorf("%s: clone3 gives %s %d", c.arch, call.Action, *call.ErrnoRet)
			}
		}
		if err := checkSeccomp(s); err != nil {
			t.Errorf("%s: %v", c.arch, err)
		}
	}
	_, err := defaultSeccomp("z80", nil)
	wantError(t, "z80", err, `architecture "z80": unknown`)
}

// TestSeccompListIsWellFormed holds the form that seccomp_default.txt names.
func TestSeccompListIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for condition, names := range seccompGroups() {
		kind, value, _ := strings.Cut(condition, " ")
		switch {
		case condition == "always":
		case kind == "arch" && seccompArchitecture[value] != nil:
		case kind == "cap" && slices.Contains(allCapabilities, value):
		default:
			t.Errorf("condition %q", condition)
		}
		if seen[condition] || len(names) == 0 {
			t.Errorf("condition %q is empty, or there twice", condition)
		}
		seen[condition] = true
		for i, name := range names {
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || slices.Contains(names[:i], name) {
				t.Errorf("%s: %q is no system call's name, or there twice", condition, name)
			}
		}
	}
	if !seen["always"] || len(seen) < 20 {
		t.Errorf("conditions: got %d", len(seen))
	}
}

func TestSocketFamilies(t *testing.T) {
	matches := func(family uint64) bool {
		return slices.ContainsFunc(socketFamilies(), func(a rspec.LinuxSeccompArg) bool {
			return a.Op == rspec.OpLessThan && family < a.Value || a.Op == rspec.OpEqualTo && family == a.Value
		})
	}
	for family, want := range map[uint64]bool{1: true, 2: true, 10: true, 16: true, 17: true, 37: true, 38: false, 39: true, 40: false, 41: true, 45: true, 46: false} {
		if matches(family) != want {
			t.Errorf("family %d: allowed is %v", family, !want)
		}
	}
}

func TestParseSeccomp(t *testing.T) {
	for _, c := range []struct{ in, fails string }{
		{`{"defaultAction":"SCMP_ACT_ALLOW"}`, ""},
		{`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],"comment":"unknown is fine",
		  "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":5,"value":1,"op":"SCMP_CMP_EQ"}]}]}`, ""},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{},"excludes":null}]}`, ""},
		{`{}`, `defaultAction "": unknown`},
		{`[]`, "at line 1 column 1"},
		{`null`, "at line 1 column 1: want an object"},
		{"{\n  \"defaultAction\": 5}", "at line 2 column 20: defaultAction: want"},
		{`{"defaultAction":"ALLOW"}`, `defaultAction "ALLOW": unknown`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["x86"]}`, `architecture "x86": unknown`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","flags":["LOG"]}`, `flag "LOG": unknown`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_ALLOW"}]}`, "syscalls[0]: names: want at least one"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"x"}]}`, `syscalls[0]: action "x": unknown`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_KILL","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}`, "args index 6"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_KILL","args":[{"index":0,"value":0,"op":"=="}]}]}`, `args op "=="`},
		{`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[]}`, "reading archMap: docker's own"},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW"}]}`, "docker's own"},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}`, "reading syscalls[0]: name, includes and excludes"},
	} {
		_, err := ParseSeccomp([]byte(c.in))
		if c.fails != "" {
			wantError(t, c.in, err, c.fails)
		} else if err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
	}
}
