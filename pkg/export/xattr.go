package export

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// XattrPolicy says which extended attributes an export keeps.
type XattrPolicy uint8

// The policies. The zero value is the default.
const (
	// XattrsDefault leaves out what belongs to the host or to overlayfs.
	XattrsDefault XattrPolicy = iota
	// XattrsAll keeps every attribute.
	XattrsAll
	// XattrsNone keeps none, and reads none.
	XattrsNone
)

// ParseXattrPolicy reads "default", "all" or "none".
func ParseXattrPolicy(s string) (XattrPolicy, error) {
	switch s {
	case "default":
		return XattrsDefault, nil
	case "all":
		return XattrsAll, nil
	case "none":
		return XattrsNone, nil
	}
	return 0, fmt.Errorf("unknown xattr policy %q: it is default, all or none", s)
}

// ofHost reports whether an attribute describes the host that stored the file,
// not the image: labels and measurements of the host's security modules, and
// overlayfs's own marks.
func ofHost(name string) bool {
	switch name {
	case "security.selinux", "security.ima", "security.evm":
		return true
	}
	return strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.")
}

// XattrFilter is a Tree that shows another without some extended attributes.
type XattrFilter struct {
	Tree
	policy  XattrPolicy
	leftOut atomic.Int64
}

// Xattrs shows t with the extended attributes that p keeps. The tree that it
// returns closes t.
func Xattrs(t Tree, p XattrPolicy) *XattrFilter {
	return &XattrFilter{Tree: t, policy: p}
}

// LeftOut is how many attributes were left out since the last walk began, those
// of a hard link once for each name of which they were read. The policy
// XattrsNone reads none, so it counts none.
func (t *XattrFilter) LeftOut() int64 { return t.leftOut.Load() }

// Walk visits what the tree below shows.
func (t *XattrFilter) Walk(ctx context.Context, visit func(*Entry) error) error {
	t.leftOut.Store(0)
	return t.Tree.Walk(ctx, func(e *Entry) error { return visit(t.apply(e)) })
}

// Lookup finds what Walk visits.
func (t *XattrFilter) Lookup(ctx context.Context, path string) (*Entry, error) {
	e, err := t.Tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	return t.apply(e), nil
}

func (t *XattrFilter) apply(e *Entry) *Entry {
	if e.Xattrs == nil || t.policy == XattrsAll {
		return e
	}
	kept := *e
	if t.policy == XattrsNone {
		kept.Xattrs = nil
		return &kept
	}
	kept.Xattrs = func(ctx context.Context) ([]Xattr, error) {
		attrs, err := e.Xattrs(ctx)
		if err != nil {
			return nil, err
		}
		return t.withoutHost(attrs), nil
	}
	return &kept
}

// withoutHost copies attrs only where it takes some away: most files have none
// of the host's.
func (t *XattrFilter) withoutHost(attrs []Xattr) []Xattr {
	isHost := func(x Xattr) bool { return ofHost(x.Name) }
	if !slices.ContainsFunc(attrs, isHost) {
		return attrs
	}
	image := slices.DeleteFunc(slices.Clone(attrs), isHost)
	t.leftOut.Add(int64(len(attrs) - len(image)))
	return image
}
