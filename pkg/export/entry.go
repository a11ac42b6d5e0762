// Package export turns a root filesystem into bytes: a tar, a directory or an
// OCI bundle.
//
// A Tree gives the entries of a root in a fixed order; decorators (Filter,
// Insert, Prefix, ...) change what a tree shows; Write settles hard links,
// reads ahead and hands each record to a Sink. The package knows no image, no
// daemon and no mount: where a root comes from is somebody else's business.
package export

import (
	"context"
	"io"
	"time"
)

// Type is the kind of a filesystem object.
type Type uint8

// The kinds of objects that a root filesystem holds.
const (
	Regular Type = iota + 1
	Directory
	Symlink
	CharDevice
	BlockDevice
	FIFO
	Socket
)

// String names the type in messages and listings.
func (t Type) String() string {
	switch t {
	case Regular:
		return "regular file"
	case Directory:
		return "directory"
	case Symlink:
		return "symlink"
	case CharDevice:
		return "character device"
	case BlockDevice:
		return "block device"
	case FIFO:
		return "FIFO"
	case Socket:
		return "socket"
	}
	return "object of an unknown type"
}

// Entry is one name of a tree. Names, targets and xattrs are raw bytes: no
// encoding is assumed anywhere.
type Entry struct {
	// Path is relative to the root, clean, without a leading or trailing
	// slash and never ".": the root itself has no entry.
	Path string
	// Target is where a symlink points, as stored.
	Target string
	Type   Type
	// Mode is the permission bits with setuid, setgid and sticky: 0 to 07777.
	Mode     uint32
	UID, GID uint32
	// Size is the length of a regular file in bytes, else 0.
	Size  int64
	MTime time.Time
	// RdevMajor and RdevMinor number a character or block device.
	RdevMajor, RdevMinor uint32
	// Link is the same for all names of one inode, and zero for an object
	// that has one name only.
	Link LinkKey
	// Xattrs reads the extended attributes, sorted by name; nil where there
	// are none. It may be called from another goroutine than the walk's and
	// after the walk has gone on, until the tree is closed; but one entry's
	// Xattrs, Open and body are for one goroutine at a time.
	Xattrs func(context.Context) ([]Xattr, error)
	// Open gives a regular file's content; nil where there is no body (any
	// other type, or a size of 0). The caller closes it. The same freedom as
	// for Xattrs holds. It is never called for the later names of a link.
	Open func(context.Context) (io.ReadCloser, error)
}

// LinkKey identifies an inode. Inode numbers repeat across the filesystems
// that an overlay merges, so the device is part of the key.
type LinkKey struct {
	Device, Inode uint64
	// Born and Changed are when the inode was made and last changed, in
	// nanoseconds, on a tree that others write to: a number that was freed
	// and used again within one walk is another inode. Elsewhere they are 0.
	Born, Changed int64
}

// Xattr is one extended attribute; Value may hold any bytes, or none.
type Xattr struct {
	Name  string
	Value []byte
}

// Tree is a root filesystem, or a decorator over one.
//
// Walk visits every entry but the root's: siblings by bytes, depth first
// (a, a/b, a-b), each directory before what it holds, no path twice. visit
// may keep the Entry but not change it; a decorator that changes one copies
// it. When visit returns fs.SkipDir for a directory, what lies below it is
// left out; any other error ends the walk and is returned as it is. A tree
// can be walked again.
//
// Lookup gives the entry at path without following a symlink anywhere in it;
// a name that is not there, or lies below something that is not a directory,
// is an error that wraps fs.ErrNotExist. Resolve follows symlinks, inside the
// root, on top of Lookup. The path "." is a directory's entry for the root.
//
// Close releases what the tree holds; a decorator closes what it decorates.
type Tree interface {
	Walk(ctx context.Context, visit func(*Entry) error) error
	Lookup(ctx context.Context, path string) (*Entry, error)
	Close() error
}

// Record is what a Sink is given: an entry with everything read that a format
// needs.
type Record struct {
	*Entry
	// LinkTo is the path of the earlier record that this one is another name
	// of, else empty.
	LinkTo string
	// Attrs is what Entry.Xattrs gave, by the policy in force.
	Attrs []Xattr
	// Body has Entry.Size bytes; nil where there is no body. A sink that
	// finds fewer or more bytes fails.
	Body io.Reader
}

// Sink writes records in one format. It is called by one goroutine. After an
// error, or instead of Close, the caller calls Abort, once: a failed export
// never looks like a whole one.
type Sink interface {
	// Put writes r, whose Body it reads to the end and does not keep. Records
	// come in a Tree's order, and a hard link after the record that it names.
	Put(ctx context.Context, r *Record) error
	// Close completes what was written. Its error is to be followed by Abort.
	Close() error
	// Abort makes what was written unusable, or removes it.
	Abort() error
}
