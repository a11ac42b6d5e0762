package ocispec

import (
	"fmt"
	"slices"
	"strings"
)

// allCapabilities are Linux's, in the order of their numbers (capabilities(7)).
var allCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// defaultCapabilities are the fourteen that containerd and docker grant.
var defaultCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD",
	"CAP_AUDIT_WRITE", "CAP_SETFCAP",
}

// capabilities gives the set in force, in the order of allCapabilities. As in
// docker, ALL is where one starts from, and a name beats it: add ALL, drop X
// is all but X; drop ALL, add X is X alone. A name both added and dropped is
// dropped.
func capabilities(add, drop []string) ([]string, error) {
	added, addAll, err := parseCapabilities("adding", add)
	if err != nil {
		return nil, err
	}
	dropped, dropAll, err := parseCapabilities("dropping", drop)
	if err != nil {
		return nil, err
	}
	base := defaultCapabilities
	switch {
	case dropAll:
		base = nil
	case addAll:
		base = allCapabilities
	}
	var set []string
	for _, c := range allCapabilities {
		if (slices.Contains(base, c) || slices.Contains(added, c)) && !slices.Contains(dropped, c) {
			set = append(set, c)
		}
	}
	return set, nil
}

func parseCapabilities(doing string, names []string) (set []string, all bool, err error) {
	for _, name := range names {
		c := strings.ToUpper(name)
		if c == "ALL" {
			all = true
			continue
		}
		if !strings.HasPrefix(c, "CAP_") {
			c = "CAP_" + c
		}
		if !slices.Contains(allCapabilities, c) {
			return nil, false, fmt.Errorf("%s capability %q: unknown", doing, name)
		}
		set = append(set, c)
	}
	return set, all, nil
}
