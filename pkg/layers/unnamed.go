package layers

import (
	"archive/tar"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
)

// modeUnnamed is the mode that mkfs.erofs gives to a directory that a tar has no
// entry of, where it has no entry of a directory above it either.
const modeUnnamed = erofs.TypeDir | 0o777

// unnamed finds the directories of a filesystem that the layer's tar did not name.
//
// mkfs.erofs makes the root before it reads the tar: with modeUnnamed, its own
// owner and the time of the build. A missing directory takes all three from the one
// above it. So an unnamed directory has them, has no attributes, and has something
// in it. That is no proof: an image may have such a directory of its own. It is
// taken for one as long as nothing that is certainly named has the time of the
// build; with a time that was chosen (-T of mkfs.erofs, SOURCE_DATE_EPOCH), much has.
type unnamed struct {
	// candidates have the mode and the time, parents first.
	candidates []candidate
	// dated says that something else has the time.
	dated bool
}

type candidate struct{ dir, parent *node }

// note takes an object of the filesystem; n is nil for a whiteout, and parent for
// the root.
func (u *unnamed) note(i *erofs.Inode, h *tar.Header, n, parent *node) {
	switch {
	case !i.Built():
	case i.Mode == modeUnnamed && len(h.PAXRecords) == 0:
		u.candidates = append(u.candidates, candidate{n, parent})
	default:
		u.dated = true
	}
}

// settle makes the unnamed directories what they are in a tar: see
// impliedDirectory. Where the time does not tell them, they stay what the filesystem
// says, and are counted.
func (u *unnamed) settle(x *index) {
	var found []candidate
	for _, c := range u.candidates {
		if x.mayBeUnnamed(c.dir) {
			found = append(found, c)
		} else {
			u.dated = true
		}
	}
	if u.dated {
		if len(found) > 0 && found[0].dir == x.root {
			x.quota.undecided.Add(int64(len(found) - 1))
		}
		return
	}
	for _, c := range found {
		c.dir.inode = x.impliedDirectory("").inode
		c.dir.dir.named, c.dir.dir.inherits = false, true
		if c.parent != nil {
			x.quota.unnamed.Add(1)
			x.inheritGroup(c.dir, c.parent)
		}
	}
}

// mayBeUnnamed reports whether a directory has the root's owner and something in
// it, a whiteout or an opaque mark included.
func (x *index) mayBeUnnamed(n *node) bool {
	i, root := n.inode, x.root.inode
	return n == x.root || i.uid == root.uid && i.gid == root.gid && (n.dir.size() > 0 || len(n.dir.whiteouts) > 0 || n.dir.opaque)
}
