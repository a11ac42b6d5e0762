//go:build !riscv64

package hostfile

import "golang.org/x/sys/unix"

// sysRenameat is os.Rename's system call.
const sysRenameat = unix.SYS_RENAMEAT
