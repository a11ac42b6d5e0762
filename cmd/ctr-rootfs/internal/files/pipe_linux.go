package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is what a pipe that is written to may hold: four times what it has
// by itself, so that writer and reader change places less often. An export took
// a quarter less time; with 1 MiB it took more processor time again, since the
// bytes left the nearest caches.
const pipeSize = 256 << 10

// enlargePipe makes a pipe larger. What is no pipe is left alone, and so is one
// that may not grow (pipe(7), pipe-user-pages-soft): it only costs time.
func enlargePipe(file *os.File) {
	conn, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		size, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0)
		if err == nil && size < pipeSize {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
		}
	})
}
