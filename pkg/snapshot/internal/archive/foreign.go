package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// foreignSize is how much of a file tells what it is.
const foreignSize = 64 << 10

// ForeignError says that a file is packed in What, which is not read here and
// which Command unpacks. In that, FILE stands for the file's name.
type ForeignError struct {
	What, Command string
}

func (e *ForeignError) Error() string { return fmt.Sprintf("it is %s, which is not read here", e.What) }

// signature tells a kind of file by its bytes at an offset.
type signature struct {
	at    int
	magic string
	ForeignError
}

// signatures has what archives are packed in that is not read here, and what is
// taken for one.
func signatures() []signature {
	return []signature{
		{0, "\x04\x22\x4d\x18", ForeignError{"lz4", "lz4 -dc FILE"}},
		{0, "\x02\x21\x4c\x18", ForeignError{"lz4", "lz4 -dc FILE"}},
		{0, "LZIP", ForeignError{"lzip", "lzip -dc FILE"}},
		{0, "\x1f\x9d", ForeignError{"compress's .Z", "gzip -dc FILE"}},
		{0, "\x1f\xa0", ForeignError{"compress's .z", "gzip -dc FILE"}},
		{0, "\x89LZO\x00\r\n\x1a\n", ForeignError{"lzop", "lzop -dc FILE"}},
		{0, "LRZI", ForeignError{"lrzip", "lrzip -dc FILE"}},
		{0, "7z\xbc\xaf\x27\x1c", ForeignError{"7z", "7z x -so FILE"}},
		{0, "PK\x03\x04", ForeignError{"zip", "unzip -p FILE"}},
		{0, "Rar!\x1a\x07", ForeignError{"rar", "unrar p -inul FILE"}},
		{0, "070701", ForeignError{"cpio", "cpio -id <FILE"}},
		{0, "070702", ForeignError{"cpio", "cpio -id <FILE"}},
		{0, "070707", ForeignError{"cpio", "cpio -id <FILE"}},
		{0, "!<arch>\n", ForeignError{"ar", "ar x FILE"}},
		{0, "hsqs", ForeignError{"squashfs", "unsquashfs FILE"}},
		{0, "sqsh", ForeignError{"squashfs", "unsquashfs FILE"}},
		{0, "QFI\xfb", ForeignError{"qcow", "qemu-img convert -O raw FILE DISK"}},
		{0, "KDMV", ForeignError{"vmdk", "qemu-img convert -O raw FILE DISK"}},
		{32, "SIF_MAGIC", ForeignError{"apptainer's SIF", "apptainer build --sandbox DIR FILE"}},
		{1024, "\xe2\xe1\xf5\xe0", ForeignError{"erofs", "fsck.erofs --extract=DIR FILE"}},
		{1080, "\x53\xef", ForeignError{"ext4", "debugfs -R 'rdump / DIR' FILE"}},
		{32769, "CD001", ForeignError{"an ISO 9660 image", "bsdtar -xf FILE"}},
	}
}

// checkForeign is foreign of a file.
func checkForeign(file io.ReaderAt) error {
	start := make([]byte, foreignSize)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return foreign(start[:n])
}

// errShort is a file that nothing was cut off: a tar's first header has zeros behind
// the name, and a text has none.
var errShort = errors.New("it is not an image archive: it is a text, shorter than a tar's first header")

// foreign gives a ForeignError where a file that begins with start is not a tar, but
// another thing that is known, or errShort. A tar's first name may be any of the
// signatures.
func foreign(start []byte) error {
	// ext4's and erofs's images begin with zeros, as the end of a tar does.
	_, err := tar.NewReader(bytes.NewReader(start)).Next()
	if len(start) >= tarBlock && !errors.Is(err, tar.ErrHeader) && !errors.Is(err, io.EOF) {
		return nil
	}
	for _, s := range signatures() {
		if len(start) > s.at && bytes.HasPrefix(start[s.at:], []byte(s.magic)) {
			return &s.ForeignError
		}
	}
	if isLZMA(start) {
		return &ForeignError{"lzma", "xz --format=lzma -dc FILE"}
	}
	if 0 < len(start) && len(start) < tarBlock && bytes.IndexByte(start, 0) < 0 {
		return errShort
	}
	return nil
}

// isLZMA knows the header that .lzma files have for want of a magic: the usual
// properties, and a dictionary that is not empty. A tar would have the name "]".
func isLZMA(start []byte) bool {
	return len(start) > 13 && bytes.HasPrefix(start, []byte{0x5d, 0, 0}) && (start[3] != 0 || start[4] != 0)
}
