package layers

import (
	"encoding/binary"
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

// settleACL does to an access control list what Linux does when the mode is set
// after it, as containerd does: three of its entries are the mode, and a list
// that says nothing else is none. What is malformed stays as it is.
func (i *inode) settleACL() {
	at, found := slices.BinarySearchFunc(i.xattrs(), aclAccess, compareXattr)
	if !found {
		return
	}
	value := i.extra.xattrs[at].Value
	size := len(value) - aclHeaderSize
	if size < 0 || size%aclEntrySize != 0 || binary.LittleEndian.Uint32(value) != aclVersion {
		return
	}
	settled, more := aclOfMode(value, i.mode)
	if !more {
		i.extra.xattrs = slices.Delete(i.extra.xattrs, at, at+1)
		return
	}
	i.extra.xattrs[at] = export.Xattr{Name: aclAccess, Value: settled}
}

// aclOfMode gives the list with a mode's permissions, and reports whether it
// says more than the mode does.
func aclOfMode(value []byte, mode uint16) (settled []byte, more bool) {
	settled = slices.Clone(value)
	var group []byte // the entry of the mode's group bits: the mask, where there is one
	for at := aclHeaderSize; at < len(settled); at += aclEntrySize {
		permissions := settled[at+2 : at+4]
		switch binary.LittleEndian.Uint16(settled[at:]) {
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
	return settled, more
}
