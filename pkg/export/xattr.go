package export

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// xattrTree is the decorator of Xattrs.
type xattrTree struct {
	Tree
	policy XattrPolicy
}

// Xattrs shows t with the extended attributes that p keeps. The tree that it
// returns closes t.
func Xattrs(t Tree, p XattrPolicy) Tree {
	if p == XattrsAll {
		return t
	}
	return xattrTree{t, p}
}

func (t xattrTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	return t.Tree.Walk(ctx, func(e *Entry) error { return visit(t.apply(e)) })
}

func (t xattrTree) Lookup(ctx context.Context, path string) (*Entry, error) {
	e, err := t.Tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	return t.apply(e), nil
}

func (t xattrTree) apply(e *Entry) *Entry {
	if e.Xattrs == nil {
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
		return slices.DeleteFunc(slices.Clone(attrs), func(x Xattr) bool { return ofHost(x.Name) }), nil
	}
	return &kept
}
