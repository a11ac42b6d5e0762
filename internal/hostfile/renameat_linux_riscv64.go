package hostfile

import "golang.org/x/sys/unix"

// sysRenameat is os.Rename's system call: the older one is not there.
const sysRenameat = unix.SYS_RENAMEAT2
