package imagetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Torture is an image of what Linux can hold and tools lose, as far as
// containerd's unpacking accepts and keeps it: see Lost and Refused for the
// rest. What no image holds (a socket, a file of holes) tests make on disk.
func Torture() Image {
	return Image{Layers: []Layer{
		tortureNames(), tortureLinks(), tortureAttributes(), tortureMany(), tortureBelow(), tortureAbove(),
	}}
}

// TortureOneLayer is what of Torture can stand in one layer, and a directory
// that looks like what a filesystem has of its own.
func TortureOneLayer() Image {
	own := Layer{Dir("lost+found", 0o700)}
	return Image{Layers: []Layer{slices.Concat(own, tortureNames(), tortureLinks(), tortureAttributes())}}
}

// TortureChanges is what of Torture a later layer takes back or changes, small
// enough for a snapshotter that copies every layer.
func TortureChanges() Image {
	return Image{Layers: []Layer{tortureLinks(), tortureAttributes(), tortureBelow(), tortureAbove()}}
}

// tortureNames holds names and targets of any bytes and lengths.
func tortureNames() Layer {
	l := Layer{Dir("names", 0o755)}
	names := []string{
		strings.Repeat("n", 255), "new\nline", `back\slash`, "-rf", "--", "trailing ", " leading", "ümläut-日本", "latin\xe4\xff",
		"wh.file", ".whx", "x.wh.", "a-b", "a.b", "a b", "*", "?", "[a]", "tab\t", "\x01",
	}
	for _, name := range names {
		l = append(l, File("names/"+name, 0o644, name))
	}
	l = append(l, Dir("names/a", 0o755), File("names/a/b", 0o644, "sorts before a-b"))
	for _, length := range []int{101, 256, 4000} {
		l = append(l, deepFile(fmt.Sprintf("names/path%d", length), length)...)
	}
	for name, target := range map[string]string{
		"absolute": "/etc/passwd", "dangling": "no/such", "root": "/", "self": "self", "out": "../../../../../etc/passwd",
		"dot": ".", "latin": "\xe4\xff", "newline": "a\nb",
	} {
		l = append(l, Symlink("names/link-"+name, target))
	}
	l = append(l, Symlink("names/link-long", strings.Repeat("t", 4000)))
	sortByName(l)
	return l
}

// deepFile is a file whose path has the given length, and its directories.
func deepFile(dir string, length int) Layer {
	l := Layer{Dir(dir, 0o755)}
	path := dir
	for len(path)+202 < length {
		path += "/" + strings.Repeat("d", 200)
		l = append(l, Dir(path, 0o755))
	}
	return append(l, File(path+"/"+strings.Repeat("f", length-len(path)-1), 0o644, "deep"))
}

// tortureLinks holds hard links of every type.
func tortureLinks() Layer {
	return Layer{
		Dir("links", 0o755), Dir("links/a", 0o755), Dir("links/b", 0o755),
		File("links/a/first", 0o4711, "linked").Own(7, 8).Xattr("user.on", "all"), Link("links/a/second", "links/a/first"), Link("links/b/third", "links/a/first"),
		File("links/deleted-later", 0o644, "survives"), Link("links/survivor", "links/deleted-later"),
		File("links/replaced-later", 0o644, "old"), Link("links/keeps-old", "links/replaced-later"),
		FIFO("links/fifo", 0o600), Link("links/fifo-too", "links/fifo"),
		Char("links/null", 0o666, 1, 3), Link("links/null-too", "links/null"),
		Symlink("links/symlink", "a/first"), Link("links/symlink-too", "links/symlink"),
		File("links/empty", 0o600, ""), Link("links/empty-too", "links/empty"),
	}
}

// tortureAttributes holds modes, owners, times and extended attributes.
func tortureAttributes() Layer {
	l := Layer{Dir("attr", 0o755), Dir("attr/mode0", 0), File("attr/mode0/inside", 0, "hidden")}
	for _, mode := range []int64{0o4755, 0o2755, 0o1644, 0o7777, 0o0} {
		l = append(l, File(fmt.Sprintf("attr/mode%04o", mode), mode, "m"))
	}
	l = append(l,
		Dir("attr/setgid", 0o2775).Own(0, 50), Dir("attr/sticky", 0o1777),
		File("attr/own-2p21", 0o644, "").Own(1<<21+1, 1<<21+1), File("attr/own-2p31", 0o644, "").Own(1<<31-1, 1<<31-1),
		File("attr/time-ns", 0o644, "").At(time.Unix(1, 999_999_999)), File("attr/time-0", 0o644, "").At(time.Unix(0, 0)),
		File("attr/time-2038", 0o644, "").At(time.Unix(1<<31, 1)), File("attr/time-2242", 0o644, "").At(time.Unix(1<<33, 5)),
		File("attr/capability", 0o755, "c").Capability(capNetRaw|1), File("attr/xattr-binary", 0o644, "").Xattr("user.b", "\x00\x01\xfe\xff\n="),
		File("attr/xattr-empty", 0o644, "").Xattr("user.e", ""), File("attr/xattr-equals", 0o644, "").Xattr("user.a=b", "1").Xattr("user.c%d", "2"),
		File("attr/xattr-newline", 0o644, "").Xattr("user.new\nline", "3"), File("attr/xattr-latin", 0o644, "").Xattr("user.\xe4\xff", "4"),
		Dir("attr/xattr-dir", 0o755).Xattr("user.dir", "5"),
		File("attr/acl", 0o664, "").Xattr("system.posix_acl_access", accessACL), Dir("attr/acl-default", 0o755).Xattr("system.posix_acl_default", accessACL),
		Char("attr/char", 0o600, 4, 64), Char("attr/char-large", 0o600, 511, 0o77777), Block("attr/block", 0o600, 259, 3), FIFO("attr/fifo", 0o4640).Own(3, 4),
	)
	return l
}

// accessACL is user::rw-, user:1000:r--, group::r--, mask::rw-, other::r-- as
// linux/posix_acl_xattr.h lays it out: a version, then tag, perm and id each.
const accessACL = "\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" +
	"\x02\x00\x04\x00\xe8\x03\x00\x00" +
	"\x04\x00\x04\x00\xff\xff\xff\xff" +
	"\x10\x00\x06\x00\xff\xff\xff\xff" +
	"\x20\x00\x04\x00\xff\xff\xff\xff"

// tortureMany holds 20,000 names in a directory and 200 directories in depth.
func tortureMany() Layer {
	l := Layer{Dir("many", 0o755)}
	for i := range 20_000 {
		l = append(l, File(fmt.Sprintf("many/%05d", i), 0o644, ""))
	}
	path := "deep"
	for range 200 {
		l = append(l, Dir(path, 0o755))
		path += "/d"
	}
	return append(l, File(path+"-end", 0o644, "bottom"))
}

// tortureBelow and tortureAbove are what a later layer takes back or changes.
func tortureBelow() Layer {
	return Layer{
		Dir("etc", 0o755), Symlink("etc/resolv.conf", "../run/none/resolv.conf"), Dir("etc/hosts", 0o755), File("etc/hosts/inside", 0o644, "a directory"),
		Dir("layered", 0o755), Dir("layered/opaque", 0o755), File("layered/opaque/old", 0o644, "old"), Dir("layered/opaque/olddir", 0o755),
		Dir("layered/whiteout", 0o755), File("layered/whiteout/old", 0o644, "old"),
		File("layered/file-then-dir", 0o644, "file"), Dir("layered/dir-then-file", 0o755), File("layered/dir-then-file/old", 0o644, "old"),
		Dir("layered/dir-then-symlink", 0o755), File("layered/dir-then-symlink/old", 0o644, "old"),
		Dir("layered/mode-only", 0o755),
	}
}

func tortureAbove() Layer {
	return Layer{
		Whiteout("links", "deleted-later"), File("links/replaced-later", 0o644, "new"),
		Dir("layered/opaque", 0o711), Opaque("layered/opaque"), File("layered/opaque/new", 0o644, "new"),
		Whiteout("layered", "whiteout"),
		Dir("layered/file-then-dir", 0o755), File("layered/file-then-dir/new", 0o644, "new"),
		File("layered/dir-then-file", 0o644, "file"), Symlink("layered/dir-then-symlink", "opaque"),
		Dir("layered/mode-only", 0o1700).Own(9, 9),
		File("unnamed/by/any/layer", 0o644, "its directories are in no layer"),
	}
}
