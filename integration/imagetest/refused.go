package imagetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Named is an image with the reason it is kept apart.
type Named struct {
	Name string
	Image
}

// Lost is what containerd 2.4.2 unpacks without an error and does not keep, so
// that no view can have it.
func Lost() []Named {
	one := func(name string, l ...Entry) Named { return Named{name, Image{Layers: []Layer{l}}} }
	return []Named{
		one("time before 1970", File("f", 0o644, "").At(time.Unix(-2, 500_000_000))),
		one("time after 2262", File("f", 0o644, "").At(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC))),
		one("trusted xattr", File("f", 0o644, "").Xattr("trusted.t", "1")),
		one("root directory", Dir(".", 0o700).Xattr("user.root", "1"), File("f", 0o644, "")),
		one("capability before a link", File("f", 0o755, "").Capability(capNetRaw), Link("g", "f")),
		one("below a default ACL", Dir("d", 0o755).Xattr("system.posix_acl_default", accessACL), File("d/f", 0o644, "")),
		one("whiteout after its name in the lowest layer", File("f", 0o644, ""), Whiteout("", "f")),
		one("opaque mark after an unnamed directory in the lowest layer", Dir("d", 0o755), File("d/e/f", 0o644, ""), Opaque("d")),
		{"opaque root", Image{Layers: []Layer{{File("f", 0o644, "")}, {Opaque(""), File("g", 0o644, "")}}}},
	}
}

// Refused is what containerd 2.4.2 does not unpack: whoever exports it by a
// view gets its error.
func Refused() []Named {
	two := func(name string, below, above Layer) Named { return Named{name, Image{Layers: []Layer{below, above}}} }
	deep := deepFile("p", 4200)
	return []Named{
		two("hard link to a lower layer", Layer{File("f", 0o644, "f")}, Layer{Link("g", "f")}),
		two("file and its whiteout", Layer{File("f", 0o644, "f")}, Layer{File("f", 0o644, "g"), Whiteout("", "f")}),
		{"name below what a lower layer deleted", Image{Layers: []Layer{{Dir("d", 0o755), File("d/e/f", 0o644, "f")}, {Whiteout("", "d")}, {File("d/e/g", 0o644, "g")}}}},
		{"whiteout below what a lower layer deleted", Image{Layers: []Layer{{Dir("d", 0o755), File("d/e/f", 0o644, "f")}, {Whiteout("", "d")}, {Whiteout("d/e", "f")}}}},
		{"path over 4096 bytes", Image{Layers: []Layer{deep}}},
		{"whiteout of nothing", Image{Layers: []Layer{{Whiteout("", "")}}}},
		{"whiteout of the root", Image{Layers: []Layer{{Whiteout("", "..")}}}},
		{"hard link out of the root", Image{Layers: []Layer{{Link("g", "../../etc/passwd")}}}},
	}
}

// DirectoryAgain has a directory that a later layer names again, without the
// attribute that it had.
func DirectoryAgain() Image {
	return Image{Layers: []Layer{{Dir("d", 0o700).Xattr("user.old", "1")}, {Dir("d", 0o755)}}}
}

// LargeXattrs has 40 extended attributes of 30,000 bytes on one file: more than
// a PAX header may hold, and more than most filesystems do.
func LargeXattrs() Image {
	e := File("f", 0o644, "")
	for i := range 40 {
		e = e.Xattr(fmt.Sprintf("user.%02d", i), strings.Repeat("x", 30_000))
	}
	return Image{Layers: []Layer{{e}}}
}

// ManyLayers has n layers, each with a file of its own and one that all replace.
func ManyLayers(n int) Image {
	var image Image
	for i := range n {
		body := fmt.Sprint(i)
		image.Layers = append(image.Layers, Layer{File("last", 0o644, body), File("layer"+body, 0o644, body)})
	}
	return image
}

// sortByName puts entries into a fixed order, directories before what they hold.
func sortByName(l Layer) {
	slices.SortFunc(l, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
}
