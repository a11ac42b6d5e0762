//go:build linux && (loong64 || riscv64)

package hostfile

import "golang.org/x/sys/unix"

// The system calls of os.Rename, which is a newer one here, and os.Lstat.
const (
	sysRenameat = unix.SYS_RENAMEAT2
	sysFstatat  = unix.SYS_NEWFSTATAT
)
