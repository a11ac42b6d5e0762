package ocispec

import (
	"math"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultLinux is containerd's default Linux section with a cgroup namespace,
// and without what depends on the host: the cgroup path, which the runtime
// chooses by the container's ID, and one masked path a CPU.
func defaultLinux() *rspec.Linux {
	return &rspec.Linux{
		Resources: &rspec.LinuxResources{Devices: defaultDevices()},
		Namespaces: []rspec.LinuxNamespace{
			{Type: rspec.PIDNamespace},
			{Type: rspec.IPCNamespace},
			{Type: rspec.UTSNamespace},
			{Type: rspec.MountNamespace},
			{Type: rspec.NetworkNamespace},
			{Type: rspec.CgroupNamespace},
		},
		MaskedPaths: []string{
			"/proc/acpi",
			"/proc/asound",
			"/proc/interrupts",
			"/proc/kcore",
			"/proc/keys",
			"/proc/latency_stats",
			"/proc/timer_list",
			"/proc/timer_stats",
			"/proc/sched_debug",
			"/sys/firmware",
			"/sys/devices/virtual/powercap",
			"/proc/scsi",
		},
		ReadonlyPaths: []string{
			"/proc/bus",
			"/proc/fs",
			"/proc/irq",
			"/proc/sys",
			"/proc/sysrq-trigger",
		},
	}
}

// defaultDevices denies all, then allows the devices that runtime-spec's
// config-linux.md, Default Devices, has the runtime supply.
func defaultDevices() []rspec.LinuxDeviceCgroup {
	rules := []rspec.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	allow := func(major int64, minor *int64) {
		rules = append(rules, rspec.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &major, Minor: minor, Access: "rwm"})
	}
	allow(1, new(int64(3))) // null
	allow(1, new(int64(8))) // random
	allow(1, new(int64(7))) // full
	allow(5, new(int64(0))) // tty
	allow(1, new(int64(5))) // zero
	allow(1, new(int64(9))) // urandom
	allow(5, new(int64(1))) // console
	allow(136, nil)         // pts
	allow(5, new(int64(2))) // ptmx
	return rules
}

// cpuPeriod is the kernel's default CFS period, in microseconds.
const cpuPeriod = 100_000

// setResources writes the limits that checkOptions has let through.
func setResources(r *rspec.LinuxResources, o Options) {
	if o.Memory != 0 {
		r.Memory = &rspec.LinuxMemory{Limit: new(o.Memory)}
	}
	if o.CPUs != 0 {
		quota := int64(math.Round(o.CPUs * cpuPeriod))
		r.CPU = &rspec.LinuxCPU{Quota: &quota, Period: new(uint64(cpuPeriod))}
	}
	if o.PidsLimit != 0 {
		r.Pids = &rspec.LinuxPids{Limit: new(o.PidsLimit)}
	}
}
