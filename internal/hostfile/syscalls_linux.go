//go:build !386 && !arm && !mips && !mipsle && !loong64 && !riscv64

package hostfile

import "golang.org/x/sys/unix"

// The system calls of os.Rename and os.Lstat.
const (
	sysRenameat = unix.SYS_RENAMEAT
	sysFstatat  = unix.SYS_NEWFSTATAT
)
