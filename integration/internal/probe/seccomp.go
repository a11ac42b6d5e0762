package probe

import (
	"errors"

	"golang.org/x/sys/unix"
)

// denied tries calls that containerd's default profile refuses: keyctl always,
// clone3 with ENOSYS, so that a C library falls back to clone, unshare where
// CAP_SYS_ADMIN is not in force. As they are called here the kernel itself
// answers otherwise.
func denied() []string {
	_, keyctl := unix.KeyctlInt(unix.KEYCTL_GET_KEYRING_ID, -1<<20, 0, 0, 0)
	_, _, clone3 := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
	unshare := unix.Unshare(0)
	var names []string
	if errors.Is(keyctl, unix.EPERM) {
		names = append(names, "keyctl: EPERM")
	}
	if clone3 == unix.ENOSYS {
		names = append(names, "clone3: ENOSYS")
	}
	if errors.Is(unshare, unix.EPERM) {
		names = append(names, "unshare: EPERM")
	}
	return names
}
