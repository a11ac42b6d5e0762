package export

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// listedName is a name in a directory, and what the listing says it is: one of
// unix.DT_*, DT_UNKNOWN where the filesystem does not tell.
//
// Overlayfs lists a whiteout, a character device, that stands in a directory of
// one layer alone, and says of it that there is no such file: it hides nothing,
// and is nothing.
type listedName struct {
	text string
	kind byte
}

// direntsBuffer is the room for what one call lists.
const direntsBuffer = 32 << 10

// list gives the names in a directory, sorted by bytes.
func (t *dirTree) list(d *directory) ([]listedName, error) {
	fd, err := t.dirs.acquire(d)
	if err != nil {
		return nil, err
	}
	defer t.dirs.release(d)
	names, err := t.names(d, fd)
	if err != nil {
		return nil, &ReadError{"listing directory", d.path, err}
	}
	slices.SortFunc(names, func(a, b listedName) int { return strings.Compare(a.text, b.text) })
	// A name may be listed twice where the directory is written to meanwhile.
	return slices.CompactFunc(names, func(a, b listedName) bool { return a.text == b.text }), nil
}

// names lists a directory as the kernel does, through the descriptor that the
// cache opened; the root's was opened by somebody else, who may be listing it.
func (t *dirTree) names(d *directory, fd int) ([]listedName, error) {
	if d == t.dirs.root {
		return readNames(fd)
	}
	t.listing.Lock()
	defer t.listing.Unlock()
	return readNamesFrom(fd, t.dirents)
}

// readNames lists a directory through a description of its own, since the given
// descriptor may be O_PATH or be listed by somebody else, too.
func readNames(dirFD int) (names []listedName, err error) {
	fd, err := openNoAtime(dirFD, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	return readNamesFrom(fd, make([]byte, direntsBuffer))
}

// readNamesFrom lists an open directory from its beginning.
func readNamesFrom(fd int, buf []byte) (names []listedName, err error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	for {
		n, err := unix.ReadDirent(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return names, err
		}
		if names, err = appendNames(names, buf[:n]); err != nil {
			return nil, err
		}
	}
}

// Where the fields of a struct linux_dirent64 stand (getdents(2)).
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// appendNames reads what getdents64 wrote, without "." and "..".
func appendNames(names []listedName, buf []byte) ([]listedName, error) {
	for len(buf) > 0 {
		if len(buf) < direntName {
			return nil, fmt.Errorf("reading directory entries: %d bytes are left", len(buf))
		}
		length := int(binary.NativeEndian.Uint16(buf[direntLength:]))
		if length <= direntName || length > len(buf) {
			return nil, fmt.Errorf("reading directory entries: one of %d bytes in %d", length, len(buf))
		}
		text, _, _ := bytes.Cut(buf[direntName:length], []byte{0})
		if name := string(text); name != "." && name != ".." {
			names = append(names, listedName{name, buf[direntType]})
		}
		buf = buf[length:]
	}
	return names, nil
}
