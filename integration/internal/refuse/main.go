// Command refuse runs a program to which the kernel refuses some system calls:
// those that strace cannot fail, since it does not know them yet.
//
//	refuse ERRNO NUMBER,NUMBER... PROGRAM [ARG...]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "refuse:", err)
		os.Exit(125)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: refuse ERRNO NUMBER,NUMBER... PROGRAM [ARG...]")
	}
	errno, err := strconv.ParseUint(args[0], 10, 12)
	if err != nil {
		return err
	}
	var calls []uint32
	for text := range strings.SplitSeq(args[1], ",") {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return err
		}
		calls = append(calls, uint32(n))
	}
	program, err := exec.LookPath(args[2])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is this thread's, and exec keeps it
	if err := refuse(uint32(errno), calls); err != nil {
		return err
	}
	return unix.Exec(program, args[2:], os.Environ())
}

// refuse sets a seccomp(2) filter: classic BPF over struct seccomp_data, whose
// first word is the number of the call.
func refuse(errno uint32, calls []uint32) error {
	const load, jumpEqual, give = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{{Code: load, K: 0}}
	for i, n := range calls {
		filter = append(filter, unix.SockFilter{Code: jumpEqual, K: n, Jt: uint8(len(calls) - i)})
	}
	filter = append(filter,
		unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ERRNO | errno})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("setting the filter: %w", err)
	}
	return nil
}
