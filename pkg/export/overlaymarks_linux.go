package export

import (
	"fmt"
	"slices"
	"strings"
)

// The extended attributes by which overlayfs marks what it cannot say otherwise
// (kernel, Documentation/filesystems/overlayfs.rst).
const (
	overlayMark = "trusted.overlay."
	opaqueMark  = overlayMark + "opaque"
)

// unfollowed are the marks by which an object's content, or what lies below it,
// is found elsewhere.
var unfollowed = []string{overlayMark + "redirect", overlayMark + "metacopy", overlayMark + "whiteout"}

// isWhiteout says whether n hides the name in the layers below.
func (n *dirNode) isWhiteout() bool {
	return n.Type == CharDevice && n.RdevMajor == 0 && n.RdevMinor == 0
}

// isOpaque says whether d hides what lower layers have at its path.
func (t *overlayTree) isOpaque(d *directory) (bool, error) {
	fd, err := t.dirs.acquire(d.parent)
	if err != nil {
		return false, err
	}
	defer t.dirs.release(d.parent)
	attrs, err := t.xattrs.read(fd, d.name)
	if err == nil {
		_, err = withoutMarks(attrs)
	}
	if err != nil {
		return false, &ReadError{"reading xattrs of", d.path, err}
	}
	return slices.ContainsFunc(attrs, func(x Xattr) bool { return x.Name == opaqueMark }), nil
}

// withoutMarks gives attrs without overlayfs's own, which an overlay does not
// show.
func withoutMarks(attrs []Xattr) ([]Xattr, error) {
	isMark := func(x Xattr) bool { return strings.HasPrefix(x.Name, overlayMark) }
	if !slices.ContainsFunc(attrs, isMark) {
		return attrs, nil
	}
	for _, x := range attrs {
		// Opaque directories that are so by another value than "y" hold
		// whiteouts of another kind.
		if slices.Contains(unfollowed, x.Name) || x.Name == opaqueMark && string(x.Value) != "y" {
			return nil, fmt.Errorf("it has the attribute %s=%q, which only overlayfs can follow", x.Name, x.Value)
		}
	}
	return slices.DeleteFunc(slices.Clone(attrs), isMark), nil
}
