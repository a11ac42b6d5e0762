package hangfs

import (
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Each of these hangs as one of the operations.

// Lookup is fuse.RawFileSystem's.
func (f *FS) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.stall(cancel, h, Stat, name); !s.Ok() {
		return s
	}
	s := f.RawFileSystem.Lookup(cancel, h, name, out)
	return f.found(h.NodeId, name, out.NodeId, s)
}

// Open is fuse.RawFileSystem's.
func (f *FS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Open, ""); !s.Ok() {
		return s
	}
	s := f.RawFileSystem.Open(cancel, in, out)
	f.readDirectly(in.NodeId, out)
	return s
}

// Read is fuse.RawFileSystem's.
func (f *FS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	op := Read
	if in.Offset >= late {
		op = Late
	}
	if s := f.stall(cancel, &in.InHeader, op, ""); !s.Ok() {
		return nil, s
	}
	return f.RawFileSystem.Read(cancel, in, buf)
}

// OpenDir is fuse.RawFileSystem's.
func (f *FS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Open, ""); !s.Ok() {
		return s
	}
	return f.RawFileSystem.OpenDir(cancel, in, out)
}

// ReadDir is fuse.RawFileSystem's.
func (f *FS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, List, ""); !s.Ok() {
		return s
	}
	return f.RawFileSystem.ReadDir(cancel, in, out)
}

// GetXAttr is fuse.RawFileSystem's.
func (f *FS) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	if s := f.stall(cancel, h, Xattr, ""); !s.Ok() {
		return 0, s
	}
	return f.RawFileSystem.GetXAttr(cancel, h, attr, dest)
}

// ListXAttr is fuse.RawFileSystem's.
func (f *FS) ListXAttr(cancel <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	if s := f.stall(cancel, h, Xattr, ""); !s.Ok() {
		return 0, s
	}
	return f.RawFileSystem.ListXAttr(cancel, h, dest)
}

// Readlink is fuse.RawFileSystem's.
func (f *FS) Readlink(cancel <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	if s := f.stall(cancel, h, Symlink, ""); !s.Ok() {
		return nil, s
	}
	return f.RawFileSystem.Readlink(cancel, h)
}

// Flush is fuse.RawFileSystem's.
func (f *FS) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Close, ""); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Flush(cancel, in)
}

// Create is fuse.RawFileSystem's.
func (f *FS) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Create, name); !s.Ok() {
		return s
	}
	s := f.RawFileSystem.Create(cancel, in, name, out)
	s = f.found(in.NodeId, name, out.NodeId, s)
	f.readDirectly(out.NodeId, &out.OpenOut)
	return s
}

// readDirectly makes the reader wait for the answer, and nobody else: in the page cache
// an open of the same file waits, too.
func (f *FS) readDirectly(node uint64, out *fuse.OpenOut) {
	if mark := f.mark(node, ""); strings.Contains(mark, "hang-"+Read) || strings.Contains(mark, "hang-"+Late) || strings.Contains(mark, "fail-") {
		out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	}
}

// Tmpfile is what many file systems have not: a file without a name.
func (f *FS) Tmpfile(<-chan struct{}, *fuse.CreateIn, *fuse.CreateOut) fuse.Status {
	return fuse.Status(syscall.EOPNOTSUPP)
}

// Mkdir is fuse.RawFileSystem's.
func (f *FS) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Create, name); !s.Ok() {
		return s
	}
	s := f.RawFileSystem.Mkdir(cancel, in, name, out)
	return f.found(in.NodeId, name, out.NodeId, s)
}

// Write is fuse.RawFileSystem's.
func (f *FS) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := f.stall(cancel, &in.InHeader, Write, ""); !s.Ok() {
		return 0, s
	}
	return f.RawFileSystem.Write(cancel, in, data)
}

// Writev is fuse.RawFileSystem's.
func (f *FS) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	if s := f.stall(cancel, &in.InHeader, Write, ""); !s.Ok() {
		return 0, s
	}
	return f.RawFileSystem.Writev(cancel, in, data)
}

// Fsync is fuse.RawFileSystem's.
func (f *FS) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Sync, ""); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Fsync(cancel, in)
}

// Rename is fuse.RawFileSystem's.
func (f *FS) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if s := f.stall(cancel, &in.InHeader, Rename, from); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Rename(cancel, in, from, to)
}

// Unlink is fuse.RawFileSystem's.
func (f *FS) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if s := f.stall(cancel, h, Remove, name); !s.Ok() {
		return s
	}
	return f.RawFileSystem.Unlink(cancel, h, name)
}

// StatFs is fuse.RawFileSystem's.
func (f *FS) StatFs(cancel <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	if s := f.stall(cancel, h, Statfs, ""); !s.Ok() {
		return s
	}
	return f.RawFileSystem.StatFs(cancel, h, out)
}
