package layers

import (
	"archive/tar"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

const (
	// xattrRecord begins the PAX key of an extended attribute, whose name
	// follows literally; it is the only one that containerd reads. Of the others,
	// see otherXattr.
	xattrRecord = "SCHILY.xattr."
	// maxID is the largest owner: 2^32-1 means "leave it" to chown(2).
	maxID = math.MaxUint32 - 1
	// maxXattrName, maxTarget and maxXattr are what Linux can hold (NAME_MAX of
	// xattrs, PATH_MAX, XATTR_SIZE_MAX); no disk, and so no view, has more.
	maxXattrName = 255
	maxXattr     = 64 << 10
	// maxXattrNames is what listxattr(2) gives of one object (XATTR_LIST_MAX).
	maxXattrNames = 64 << 10
	maxTarget     = 4095

	modeBits       = 0o7777
	modeOfSymlinks = 0o777
)

// kindOf gives the object that a type of entry makes. Types of no such object
// (multi-volume parts, dumped directories, volume labels) are in no layer.
func kindOf(typeflag byte) (export.Type, error) {
	switch typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return export.Regular, nil
	case tar.TypeDir:
		return export.Directory, nil
	case tar.TypeSymlink:
		return export.Symlink, nil
	case tar.TypeChar:
		return export.CharDevice, nil
	case tar.TypeBlock:
		return export.BlockDevice, nil
	case tar.TypeFifo:
		return export.FIFO, nil
	}
	return 0, fmt.Errorf("entries of type %q are unknown", typeflag)
}

// setAttributes takes owner, mode, time and xattrs of a header. It is called
// again for a directory that is named again and for a hard link: attributes
// that only the earlier header had stay, the others are the later one's.
func (x *index) setAttributes(i *inode, h *tar.Header) error {
	if h.Uid < 0 || int64(h.Uid) > maxID || h.Gid < 0 || int64(h.Gid) > maxID {
		return fmt.Errorf("owner %d:%d is out of range", h.Uid, h.Gid)
	}
	i.uid, i.gid = uint32(h.Uid), uint32(h.Gid)
	i.mode = uint16(h.Mode & modeBits)
	if i.kind == export.Symlink {
		i.mode = modeOfSymlinks // Linux keeps no other
	}
	i.setTime(h.ModTime)
	if err := x.addXattrs(i, h); err != nil {
		return err
	}
	if i.kind != 0 { // a pending link's mode is not yet that of the list's inode
		i.settleACLs()
	}
	return nil
}

// addXattrs goes by the names' order: a header of 1 MiB holds so many that
// putting each in the middle of a list would take seconds.
func (x *index) addXattrs(i *inode, h *tar.Header) error {
	var names []string
	for key := range h.PAXRecords {
		if name, isXattr := strings.CutPrefix(key, xattrRecord); isXattr {
			names = append(names, name)
		} else if name, isXattr := otherXattr(key); isXattr {
			// Some tars say it in both ways.
			if _, both := h.PAXRecords[xattrRecord+name]; !both {
				x.quota.xattrs.Add(1)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := x.addXattr(i, name, h.PAXRecords[xattrRecord+name]); err != nil {
			return err
		}
	}
	size := 0
	for _, attr := range i.xattrs() {
		size += len(attr.Name) + 1
	}
	if size > maxXattrNames {
		return fmt.Errorf("the names of %d xattrs are more than Linux holds", len(i.xattrs()))
	}
	return nil
}

// otherXattr gives the attribute that a PAX record of another kind says:
// libarchive's, which has the name as in a URL, star's and GNU tar's access
// control lists in words, and GNU tar's label. Neither containerd nor docker nor
// umoci takes them, so no container has ever seen them: they are left out.
func otherXattr(key string) (name string, is bool) {
	if escaped, is := strings.CutPrefix(key, "LIBARCHIVE.xattr."); is {
		if name, err := url.PathUnescape(escaped); err == nil {
			return name, true
		}
		return escaped, true
	}
	switch key {
	case "SCHILY.acl.access":
		return aclAccess, true
	case "SCHILY.acl.default":
		return aclDefault, true
	case "RHT.security.selinux":
		return "security.selinux", true
	}
	// NFSv4's ("SCHILY.acl.ace") are not an attribute that Linux has.
	return key, strings.HasPrefix(key, "SCHILY.acl.")
}

func (x *index) addXattr(i *inode, name, value string) error {
	if name == "" || len(name) > maxXattrName || len(value) > maxXattr {
		return fmt.Errorf("the xattr %.300q of %d bytes is larger than Linux holds", name, len(value))
	}
	if !holds(i.kind, name) {
		x.quota.xattrs.Add(1)
		return nil
	}
	if err := x.quota.addMetadata(len(name) + len(value)); err != nil {
		return err
	}
	i.setXattr(export.Xattr{Name: strings.Clone(name), Value: []byte(value)})
	return nil
}

// holds reports whether an object can have an attribute on Linux at all
// (xattr(7)): no namespace but four is known, "user." ones are for files and
// directories, "system." ones are access control lists. containerd passes over the others, so a view has them neither.
func holds(kind export.Type, name string) bool {
	namespace, _, _ := strings.Cut(name, ".")
	switch namespace {
	case "security", "trusted":
		return true
	case "system":
		return (name == aclAccess || name == aclDefault) && kind != export.Symlink
	case "user":
		// An unsettled link is of no kind yet: see settle.
		return kind == export.Regular || kind == export.Directory || kind == 0
	}
	return false
}

func (x *index) setTarget(i *inode, h *tar.Header) error {
	if h.Linkname == "" || len(h.Linkname) > maxTarget {
		return fmt.Errorf("a symlink's target of %d bytes", len(h.Linkname))
	}
	if err := x.quota.addMetadata(len(h.Linkname)); err != nil {
		return err
	}
	i.own().target = strings.Clone(h.Linkname)
	return nil
}

func setDevice(i *inode, h *tar.Header) error {
	if h.Devmajor < 0 || h.Devmajor > math.MaxUint32 || h.Devminor < 0 || h.Devminor > math.MaxUint32 {
		return fmt.Errorf("device number %d:%d is out of range", h.Devmajor, h.Devminor)
	}
	i.own().major, i.extra.minor = uint32(h.Devmajor), uint32(h.Devminor)
	return nil
}
