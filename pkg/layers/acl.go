package layers

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// The layout of an access control list's xattr (linux/posix_acl_xattr.h): a
// version, then a tag, permissions and an id for each entry.
const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"

	aclVersion    = 2
	aclHeaderSize = 4
	aclEntrySize  = 8

	aclUserObj  = 0x01
	aclGroupObj = 0x04
	aclMask     = 0x10
	aclOther    = 0x20
)

// settleACLs does to access control lists what Linux does, as containerd sets
// them: a list without entries is none, and so is an access list that says no
// more than the mode, which is set after it. One that is none stays without a
// value until dropACLs, so that a directory does not inherit it from below. What
// is malformed stays as it is.
func (i *inode) settleACLs() {
	for _, name := range []string{aclAccess, aclDefault} {
		at, found := slices.BinarySearchFunc(i.xattrs(), name, compareXattr)
		if !found || !isACL(i.extra.xattrs[at].Value) {
			continue
		}
		settled := withoutIDs(i.extra.xattrs[at].Value)
		none := len(settled) <= aclHeaderSize
		if name == aclAccess {
			none = !setPermissions(settled, i.mode)
		}
		if none {
			settled = nil
		}
		i.extra.xattrs[at].Value = settled
	}
}

// dropACLs takes away the lists that are none.
func (i *inode) dropACLs() {
	if i.extra == nil {
		return
	}
	i.extra.xattrs = slices.DeleteFunc(i.extra.xattrs, func(x export.Xattr) bool {
		return len(x.Value) == 0 && (x.Name == aclAccess || x.Name == aclDefault)
	})
}

// isACL reports whether Linux takes the value for a list; an empty one is none.
func isACL(value []byte) bool {
	entries := len(value) - aclHeaderSize
	return len(value) == 0 || entries >= 0 && entries%aclEntrySize == 0 && binary.LittleEndian.Uint32(value) == aclVersion
}

// withoutIDs gives the list with the id that Linux gives to all entries but
// those of a named user or group.
func withoutIDs(value []byte) []byte {
	settled := slices.Clone(value)
	for at := aclHeaderSize; at < len(settled); at += aclEntrySize {
		switch binary.LittleEndian.Uint16(settled[at:]) {
		case aclUserObj, aclGroupObj, aclMask, aclOther:
			binary.LittleEndian.PutUint32(settled[at+4:], math.MaxUint32)
		}
	}
	return settled
}

// setPermissions gives the list a mode's permissions, and reports whether it
// says more than the mode does.
func setPermissions(list []byte, mode uint16) (more bool) {
	var group []byte // the entry of the mode's group bits: the mask, where there is one
	for at := aclHeaderSize; at < len(list); at += aclEntrySize {
		permissions := list[at+2 : at+4]
		switch binary.LittleEndian.Uint16(list[at:]) {
		case aclUserObj:
			binary.LittleEndian.PutUint16(permissions, mode>>6&7)
		case aclOther:
			binary.LittleEndian.PutUint16(permissions, mode&7)
		case aclGroupObj:
			if group == nil {
				group = permissions
			}
		case aclMask:
			group, more = permissions, true
		default:
			more = true
		}
	}
	if group != nil {
		binary.LittleEndian.PutUint16(group, mode>>3&7)
	}
	return more
}
