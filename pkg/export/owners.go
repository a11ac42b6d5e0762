package export

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// ownersTree is the decorator of Owners.
type ownersTree struct {
	Tree
	uids, gids []rspec.LinuxIDMapping
}

// Owners shows t, in which ids are the host's, as a process in the user
// namespace of uids and gids sees it: owners, access control lists and the
// roots of capabilities. An id that the namespace does not have is an error
// that names the file. Without mappings it is t. The tree that it returns
// closes t.
func Owners(t Tree, uids, gids []rspec.LinuxIDMapping) Tree {
	if len(uids) == 0 && len(gids) == 0 {
		return t
	}
	return ownersTree{t, uids, gids}
}

func (t ownersTree) Walk(ctx context.Context, visit func(*Entry) error) error {
	return t.Tree.Walk(ctx, func(e *Entry) error {
		inside, err := t.inside(e)
		if err != nil {
			return err
		}
		return visit(inside)
	})
}

func (t ownersTree) Lookup(ctx context.Context, path string) (*Entry, error) {
	e, err := t.Tree.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	return t.inside(e)
}

func (t ownersTree) inside(e *Entry) (*Entry, error) {
	mapped := *e
	var err error
	if mapped.UID, err = insideID(t.uids, e.UID); err != nil {
		return nil, fmt.Errorf("mapping the owner of %q back: uid %w", e.Path, err)
	}
	if mapped.GID, err = insideID(t.gids, e.GID); err != nil {
		return nil, fmt.Errorf("mapping the group of %q back: gid %w", e.Path, err)
	}
	if e.Xattrs == nil {
		return &mapped, nil
	}
	mapped.Xattrs = func(ctx context.Context) ([]Xattr, error) {
		attrs, err := e.Xattrs(ctx)
		if err != nil {
			return nil, err
		}
		attrs = slices.Clone(attrs)
		for i := range attrs {
			if attrs[i].Value, err = t.insideValue(attrs[i]); err != nil {
				return nil, fmt.Errorf("mapping attribute %q of %q back: %w", attrs[i].Name, e.Path, err)
			}
		}
		return attrs, nil
	}
	return &mapped, nil
}

// insideID gives the id that maps to outside.
func insideID(maps []rspec.LinuxIDMapping, outside uint32) (uint32, error) {
	for _, m := range maps {
		if outside >= m.HostID && outside-m.HostID < m.Size {
			return m.ContainerID + (outside - m.HostID), nil
		}
	}
	return 0, fmt.Errorf("%d is outside of the user namespace", outside)
}

// insideValue maps the ids that an attribute holds.
func (t ownersTree) insideValue(x Xattr) ([]byte, error) {
	switch x.Name {
	case "system.posix_acl_access", "system.posix_acl_default":
		return t.insideACL(x.Value)
	case "security.capability":
		return t.insideCapability(x.Value)
	}
	return x.Value, nil
}

// insideACL maps the ids of struct posix_acl_xattr_header and the entries that
// follow it (Linux, include/uapi/linux/posix_acl_xattr.h).
func (t ownersTree) insideACL(acl []byte) ([]byte, error) {
	const header, entry = 4, 8
	const user, group = 0x02, 0x08
	mapped := append([]byte(nil), acl...)
	for at := header; at+entry <= len(mapped); at += entry {
		maps := t.uids
		switch binary.LittleEndian.Uint16(mapped[at:]) {
		case user:
		case group:
			maps = t.gids
		default:
			continue // the others have no id
		}
		id, err := insideID(maps, binary.LittleEndian.Uint32(mapped[at+4:]))
		if err != nil {
			return nil, err
		}
		binary.LittleEndian.PutUint32(mapped[at+4:], id)
	}
	return mapped, nil
}

// insideCapability maps the root user of a file's capabilities of revision 3
// (Linux, include/uapi/linux/capability.h, struct vfs_ns_cap_data). The root
// of the namespace itself is what revision 2 stands for.
func (t ownersTree) insideCapability(value []byte) ([]byte, error) {
	const revision2, revision3, revisionMask, size2, size3 = 0x02000000, 0x03000000, 0xff000000, 20, 24
	if len(value) != size3 || binary.LittleEndian.Uint32(value)&revisionMask != revision3 {
		return value, nil
	}
	root, err := insideID(t.uids, binary.LittleEndian.Uint32(value[size2:]))
	if err != nil {
		return nil, err
	}
	mapped := append([]byte(nil), value...)
	if root != 0 {
		binary.LittleEndian.PutUint32(mapped[size2:], root)
		return mapped, nil
	}
	flags := binary.LittleEndian.Uint32(value) &^ revisionMask
	binary.LittleEndian.PutUint32(mapped, flags|revision2)
	return mapped[:size2], nil
}
