//go:build linux && (386 || arm || mips || mipsle)

package hostfile

import "golang.org/x/sys/unix"

// The system calls of os.Rename and os.Lstat, which has another name here.
const (
	sysRenameat = unix.SYS_RENAMEAT
	sysFstatat  = unix.SYS_FSTATAT64
)
