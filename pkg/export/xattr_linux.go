package export

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// xattrBufferSize is what the kernel lets a list of names or a value have at
	// most (XATTR_LIST_MAX and XATTR_SIZE_MAX, xattr(7)), so no call has to ask
	// for the size first.
	xattrBufferSize = 64 << 10
	// xattrUsual is the room that is offered first: the kernel allocates as much
	// for each call, and most lists are empty.
	xattrUsual = 512
	// maxXattrs bounds the values of one object: XFS keeps any number of them,
	// and a tar a sixteenth of this.
	maxXattrs = 16 << 20
)

// xattrCalls are the two system calls: on a name in a directory, which is not
// opened (a symlink, FIFO or device could not be), or on an open file, which has
// no name to be looked up.
type xattrCalls struct {
	list func(fd int, name string, buf []byte) (int, error)
	get  func(fd int, name, attr string, buf []byte) (int, error)
}

var xattrCallsOpened = xattrCalls{
	list: func(fd int, _ string, buf []byte) (int, error) { return unix.Flistxattr(fd, buf) },
	get:  func(fd int, _, attr string, buf []byte) (int, error) { return unix.Fgetxattr(fd, attr, buf) },
}

// xattrReader reads extended attributes; it may be used side by side.
type xattrReader struct {
	named   xattrCalls // for what is not opened
	buffers sync.Pool  // *[xattrBufferSize]byte
}

func newXattrReader(named xattrCalls) *xattrReader {
	r := &xattrReader{named: named}
	r.buffers.New = func() any { return new([xattrBufferSize]byte) }
	return r
}

// chooseXattrCalls takes the calls that came with Linux 6.13, or /proc where the
// kernel has none or a seccomp profile that does not know them refuses them.
func chooseXattrCalls(dirFD int) xattrCalls {
	_, err := listXattrAt(dirFD, ".", nil)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return xattrCalls{listXattrProc, getXattrProc}
	}
	return xattrCalls{listXattrAt, getXattrAt}
}

// read gives the attributes of a name in a directory, sorted by name; none where
// the filesystem has no such thing.
func (r *xattrReader) read(dirFD int, name string) ([]Xattr, error) {
	return r.readBy(r.named, dirFD, name)
}

// readOpened gives those of an open file.
func (r *xattrReader) readOpened(fd int) ([]Xattr, error) {
	return r.readBy(xattrCallsOpened, fd, "")
}

func (r *xattrReader) readBy(calls xattrCalls, fd int, name string) ([]Xattr, error) {
	buf := r.buffers.Get().(*[xattrBufferSize]byte)
	defer r.buffers.Put(buf)
	n, err := fit(buf, func(buf []byte) (int, error) { return calls.list(fd, name, buf) })
	if errors.Is(err, unix.ENOTSUP) || (err == nil && n == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// The list is names that each end in a NUL byte.
	names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	attrs, sum := make([]Xattr, 0, len(names)), 0
	for _, attr := range names {
		n, err := fit(buf, func(buf []byte) (int, error) { return calls.get(fd, name, attr, buf) })
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", attr, err)
		}
		if sum += n; sum > maxXattrs {
			return nil, fmt.Errorf("over the limit of %d bytes for one object", maxXattrs)
		}
		attrs = append(attrs, Xattr{Name: attr, Value: slices.Clone(buf[:n])})
	}
	slices.SortFunc(attrs, func(a, b Xattr) int { return cmp.Compare(a.Name, b.Name) })
	return attrs, nil
}

// fit calls with a part of buf, and with all of it where that is too small.
func fit(buf *[xattrBufferSize]byte, call func([]byte) (int, error)) (int, error) {
	n, err := call(buf[:xattrUsual])
	if errors.Is(err, unix.ERANGE) {
		n, err = call(buf[:])
	}
	return n, err
}

// xattrArgs is struct xattr_args of Linux's include/uapi/linux/xattr.h.
type xattrArgs struct {
	value uint64
	size  uint32
	flags uint32
}

func listXattrAt(dirFD int, name string, buf []byte) (int, error) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dirFD), uintptr(unsafe.Pointer(path)),
		unix.AT_SYMLINK_NOFOLLOW, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func getXattrAt(dirFD int, name, attr string, buf []byte) (int, error) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	key, err := unix.BytePtrFromString(attr)
	if err != nil {
		return 0, err
	}
	// buf is heap memory, which Go does not move, and the caller keeps it.
	args := xattrArgs{value: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))), size: uint32(len(buf))}
	n, _, errno := unix.Syscall6(unix.SYS_GETXATTRAT, uintptr(dirFD), uintptr(unsafe.Pointer(path)),
		unix.AT_SYMLINK_NOFOLLOW, uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// procPath names an unopened name through its directory's descriptor.
func procPath(dirFD int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(dirFD) + "/" + name
}

func listXattrProc(dirFD int, name string, buf []byte) (int, error) {
	return unix.Llistxattr(procPath(dirFD, name), buf)
}

func getXattrProc(dirFD int, name, attr string, buf []byte) (int, error) {
	return unix.Lgetxattr(procPath(dirFD, name), attr, buf)
}
