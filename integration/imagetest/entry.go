package imagetest

import (
	"fmt"
	"time"
)

// Typeflags of ustar and pax, see POSIX.1-2017, pax, "ustar Interchange Format".
const (
	typeRegular   = '0'
	typeLink      = '1'
	typeSymlink   = '2'
	typeChar      = '3'
	typeBlock     = '4'
	typeDirectory = '5'
	typeFIFO      = '6'
)

// epoch is the time of every entry that names none.
var epoch = time.Date(2021, time.March, 4, 5, 6, 7, 0, time.UTC)

// Entry is one record of a layer, written as it stands.
type Entry struct {
	// Name is written as it is: a directory's carries its slash.
	Name     string
	Typeflag byte
	Mode     int64
	UID, GID int64
	MTime    time.Time
	// Target is a symlink's target or a hard link's first name.
	Target       string
	Major, Minor int64
	Body         []byte
	// Records are extra PAX records, written in this order before those that
	// the entry's own fields need.
	Records []Record
}

// Record is one PAX extended header record.
type Record struct {
	Key, Value string
}

// Dir is a directory; name is given without its trailing slash.
func Dir(name string, mode int64) Entry {
	return Entry{Name: name + "/", Typeflag: typeDirectory, Mode: mode, MTime: epoch}
}

// File is a regular file.
func File(name string, mode int64, body string) Entry {
	return Entry{Name: name, Typeflag: typeRegular, Mode: mode, MTime: epoch, Body: []byte(body)}
}

// Link is another name of the file first, which stands earlier in the layer.
// Its header repeats the mode, the owner and the time of first, as every tar
// writer's does: whoever extracts it applies them to the inode again.
func Link(name, first string) Entry {
	return Entry{Name: name, Typeflag: typeLink, MTime: epoch, Target: first}
}

// Symlink is a symbolic link.
func Symlink(name, target string) Entry {
	return Entry{Name: name, Typeflag: typeSymlink, Mode: 0o777, MTime: epoch, Target: target}
}

// Char is a character device.
func Char(name string, mode, major, minor int64) Entry {
	return Entry{Name: name, Typeflag: typeChar, Mode: mode, MTime: epoch, Major: major, Minor: minor}
}

// Block is a block device.
func Block(name string, mode, major, minor int64) Entry {
	return Entry{Name: name, Typeflag: typeBlock, Mode: mode, MTime: epoch, Major: major, Minor: minor}
}

// FIFO is a named pipe.
func FIFO(name string, mode int64) Entry {
	return Entry{Name: name, Typeflag: typeFIFO, Mode: mode, MTime: epoch}
}

// Whiteout removes base from the directory dir of the layers below; see
// image-spec, layer.md, "Whiteouts". dir is empty for the root.
func Whiteout(dir, base string) Entry {
	return File(join(dir, ".wh."+base), 0o644, "")
}

// Opaque hides what the layers below hold in dir; see image-spec, layer.md,
// "Opaque Whiteout".
func Opaque(dir string) Entry {
	return File(join(dir, ".wh..wh..opq"), 0o644, "")
}

func join(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}

// Own returns the entry with another owner.
func (e Entry) Own(uid, gid int64) Entry {
	e.UID, e.GID = uid, gid
	return e
}

// At returns the entry with another modification time.
func (e Entry) At(t time.Time) Entry {
	e.MTime = t
	return e
}

// PAX returns the entry with one more PAX record.
func (e Entry) PAX(key, value string) Entry {
	records := make([]Record, 0, len(e.Records)+1)
	e.Records = append(append(records, e.Records...), Record{key, value})
	return e
}

// Xattr returns the entry with one more extended attribute, as the record that
// GNU tar, bsdtar, docker and containerd read. A "=" in the name ends a PAX
// keyword, so it stands as GNU tar writes it.
func (e Entry) Xattr(name, value string) Entry {
	return e.PAX("SCHILY.xattr."+escapeKeyword(name), value)
}

// Capability returns the entry with a security.capability that permits and
// makes effective the capabilities of the given set (bit n is capability n);
// see linux/capability.h, struct vfs_cap_data.
func (e Entry) Capability(set uint64) Entry {
	const revision2, effective = 0x02000000, 0x01
	words := []uint32{revision2 | effective, uint32(set), 0, uint32(set >> 32), 0}
	var value []byte
	for _, w := range words {
		value = append(value, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return e.Xattr("security.capability", string(value))
}

// escapeKeyword writes "%" and "=" of an xattr's name as GNU tar does.
func escapeKeyword(name string) string {
	var out []byte
	for _, c := range []byte(name) {
		if c == '%' || c == '=' {
			out = fmt.Appendf(out, "%%%02X", c)
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
