package layers

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ctr-rootfs/ctr-rootfs/internal/erofs"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// TestBrokenFilesystems names the layer and what is wrong with it, and leaves no
// blob open.
func TestBrokenFilesystems(t *testing.T) {
	content := layer{dir("d", 0o755), dir("d/e", 0o755), file("d/e/f", "1"), file("d/link", "2"), link("d/too", "d/link"), symlink("s", "d")}.tar()
	image := converted(t, content)
	inner := nidOf(t, image, "d/e")
	// again gives the image with another inode at the name of d/e.
	again := func(nid uint64) []byte { return replaceNid(t, image, inner, nid) }
	chunks := converted(t, layer{file("holes", strings.Repeat("\x00", 1<<20))}.tar(), "--chunksize=4096")
	lz4 := converted(t, layer{file("f", strings.Repeat("compressible", 9999))}.tar(), "-zlz4")
	var s store
	good, other := s.filesystem(image, false), s.filesystem(image, true)
	other.DiffID = digest.FromBytes(content)
	for _, c := range []struct {
		name  string
		layer Layer
		o     Options
		want  string
	}{
		{"good", good, Options{}, ""},
		{"a tar", s.filesystem(content, false), Options{}, "it is not an EROFS filesystem"},
		{"a tar, by zstd", s.filesystem(content, true), Options{}, "it is not an EROFS filesystem"},
		{"nothing", s.filesystem(nil, false), Options{}, "reading the superblock"},
		{"zeros", s.filesystem(make([]byte, 8192), false), Options{}, "it is not an EROFS filesystem"},
		{"cut", s.filesystem(image[:len(image)-4096], false), Options{}, "it is cut off"},
		{"compressed", s.filesystem(lz4, false), Options{}, "EROFS with compressed files (lz4) is not read"},
		{"the tar's diff ID", other, Options{}, "digest mismatch: the digest of its content is " + good.DiffID.String()},
		{"a directory in itself", s.filesystem(again(nidOf(t, image, "d")), false), Options{}, `the directory "d/e" is at several places`},
		{"the root in itself", s.filesystem(again(nidOf(t, image, "")), false), Options{}, `the directory "d/e" is at several places`},
		{"an inode beyond the end", s.filesystem(again(1<<40), false), Options{}, `adding "e": reading the inode 1099511627776`},
		{"too many names", good, Options{MaxEntries: 5}, "over the limit of 5 entries"},
		{"names enough", good, Options{MaxEntries: 7}, ""},
		{"too many bytes", good, Options{MaxBytes: int64(len(image)) - 1}, "inflated bytes"},
		{"bytes enough", good, Options{MaxBytes: int64(len(image))}, ""},
		{"too much metadata", good, Options{MaxMetadata: 9}, "over the limit of 9 bytes of names"},
		{"more in holes than there is", s.filesystem(chunks, false), Options{MaxBytes: 1<<20 - 1}, "over the limit of 1048575 inflated bytes"},
		{"holes", s.filesystem(chunks, false), Options{MaxBytes: 1 << 20}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.SpoolDir = t.TempDir()
			tree, err := Open(t.Context(), []Layer{c.layer}, c.o)
			if err == nil {
				err = tree.Close()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if s.open != 0 {
				t.Errorf("%d blobs are open", s.open)
			}
		})
	}
	wantFilesystemError(t, []Layer{s.filesystem(lz4, true)}, "compressed")
}

// nidOf gives the inode number of a path.
func nidOf(t *testing.T, b []byte, path string) uint64 {
	t.Helper()
	image, err := erofs.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	nid := image.Root()
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' }) {
		dir, err := image.Inode(nid)
		if err != nil {
			t.Fatal(err)
		}
		err = dir.ReadDir(func(d erofs.Dirent) error {
			if d.Name == name {
				nid = d.Nid
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return nid
}

// replaceNid gives the image with another inode in the first entry of one.
func replaceNid(t *testing.T, image []byte, from, to uint64) []byte {
	t.Helper()
	at := bytes.Index(image, binary.LittleEndian.AppendUint64(nil, from))
	if at < 0 {
		t.Fatalf("no entry of the inode %d", from)
	}
	changed := bytes.Clone(image)
	binary.LittleEndian.PutUint64(changed[at:], to)
	changed[erofs.SuperOffset+8] &^= erofs.FeatureChecksum
	return changed
}

// TestSocket: a filesystem may hold what no tar does.
func TestSocket(t *testing.T) {
	image := bytes.Clone(converted(t, layer{fifo("p")}.tar()))
	inode := int(binary.LittleEndian.Uint32(image[erofs.SuperOffset+40:]))<<12 + erofs.SlotSize*int(nidOf(t, image, "p"))
	binary.LittleEndian.PutUint16(image[inode+4:], erofs.TypeSocket|0o600)
	image[erofs.SuperOffset+8] &^= erofs.FeatureChecksum
	var s store
	tree := s.mustOpen(t, []Layer{s.filesystem(image, false)}, Options{})
	e, err := tree.Lookup(t.Context(), "p")
	if err != nil || e.Type != export.Socket || e.Mode != 0o600 {
		t.Errorf("%+v, error %v", e, err)
	}
}

// TestDeepFilesystem: directories in directories end at the limit of a path.
func TestDeepFilesystem(t *testing.T) {
	for levels, said := range map[int]string{maxPath / 200: "", maxPath/200 + 3: "over the limit of 8192 bytes for a path"} {
		var s store
		image := nested(levels, strings.Repeat("d", 199))
		tree, err := Open(t.Context(), []Layer{s.filesystem(image, false)}, Options{})
		if err == nil {
			err = tree.Close()
		}
		if (err == nil) != (said == "") || err != nil && !strings.Contains(err.Error(), said) {
			t.Errorf("%d levels: error %v, want %q", levels, err, said)
		}
	}
}

// nested is a filesystem of directories in directories, all of one name.
func nested(levels int, name string) []byte {
	const block, meta = 512, 4
	first := meta + (levels+1)*erofs.SlotSize/block + 1 // block of the root's entries
	b := make([]byte, (first+levels+1)*block)
	le := binary.LittleEndian
	sb := b[erofs.SuperOffset:]
	le.PutUint32(sb, erofs.Magic)
	sb[12] = 9
	le.PutUint32(sb[36:], uint32(len(b)/block))
	le.PutUint32(sb[40:], meta)
	for i := range levels + 1 {
		inode, entries := b[meta*block+i*erofs.SlotSize:], b[(first+i)*block:]
		le.PutUint16(inode[4:], erofs.TypeDir|0o755)
		le.PutUint16(inode[6:], 2)
		le.PutUint32(inode[16:], uint32(first+i))
		names := []string{".", "..", name}
		if i == levels {
			names = names[:2]
		}
		end := 12 * len(names)
		for n, name := range names {
			le.PutUint64(entries[12*n:], uint64(i+max(n-1, 0)))
			le.PutUint16(entries[12*n+8:], uint16(end))
			end += copy(entries[end:], name)
		}
		le.PutUint32(inode[8:], uint32(end))
	}
	return b
}
