package erofs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// patched is an image of testdata to which something is done.
type patched struct {
	t *testing.T
	b []byte
}

// seal sets the superblock's checksum, where there is room for one.
func (p patched) seal() {
	size := SuperOffset + 512
	if bits := p.b[SuperOffset+12]; bits < maxBlockBits {
		size = max(size, 1<<bits)
	}
	if size > len(p.b) {
		return
	}
	p.u32(SuperOffset+4, 0)
	p.u32(SuperOffset+4, ^crc32.Checksum(p.b[SuperOffset:size], crc32.MakeTable(crc32.Castagnoli)))
}

func (p patched) u8(at int64, v uint8)   { p.b[at] = v }
func (p patched) u16(at int64, v uint16) { binary.LittleEndian.PutUint16(p.b[at:], v) }
func (p patched) u32(at int64, v uint32) { binary.LittleEndian.PutUint32(p.b[at:], v) }
func (p patched) u64(at int64, v uint64) { binary.LittleEndian.PutUint64(p.b[at:], v) }

// find gives an inode of the image, by its path.
func (p patched) find(path string) *Inode {
	p.t.Helper()
	image, err := Open(bytes.NewReader(p.b), int64(len(p.b)))
	if err != nil {
		p.t.Fatal(err)
	}
	i, err := image.Inode(image.Root())
	for name := range strings.SplitSeq(path, "/") {
		if path == "" || err != nil {
			break
		}
		nid := uint64(0)
		err = i.ReadDir(func(d Dirent) error {
			if d.Name == name {
				nid = d.Nid
			}
			return nil
		})
		if err == nil {
			i, err = image.Inode(nid)
		}
	}
	if err != nil {
		p.t.Fatalf("finding %q: %v", path, err)
	}
	return i
}

// inode gives where the extended inode of a path begins.
func (p patched) inode(path string) int64 { return p.find(path).xattrs - extendedInodeSize }

// content gives where the content of a path begins, which is in one piece.
func (p patched) content(path string) int64 {
	e, err := p.find(path).extent(0)
	if err != nil {
		p.t.Fatal(err)
	}
	return e.at
}

// TestMalformed: each is an error that says what is wrong, and none a panic.
func TestMalformed(t *testing.T) {
	const sb = SuperOffset
	for _, c := range []struct {
		name, image string
		patch       func(patched)
		want        string
	}{
		{"no magic", "inline", func(p patched) { p.u8(sb, 0) }, "it has no magic number"},
		{"small blocks", "inline", func(p patched) { p.u8(sb+12, 8) }, "a block size of 2^8 bytes"},
		{"large blocks", "inline", func(p patched) { p.u8(sb+12, 17) }, "a block size of 2^17 bytes"},
		{"huge blocks", "inline", func(p patched) { p.u8(sb+12, 255) }, "a block size of 2^255 bytes"},
		{"a checksum over more than there is", "inline", func(p patched) { p.u8(sb+12, 16) }, "beyond the image's"},
		{"unknown feature", "inline", func(p patched) { p.u32(sb+80, 0x10200) }, "EROFS with the unknown feature 0x10200 is not read"},
		{"directory blocks", "inline", func(p patched) { p.u8(sb+90, 1) }, "directory blocks of another size"},
		{"too many blocks", "inline", func(p patched) { p.u32(sb+36, 1<<20) }, "it is cut off: 1048576 blocks of 512 bytes"},
		{"root beyond the end", "inline", func(p patched) { p.u16(sb+14, math.MaxUint16) }, "beyond the image's"},
		{"root beyond all", "wide", func(p patched) { p.u16(sb+14, 0); p.u64(sb+112, math.MaxUint64) }, "beyond the image's"},
		{"metadata beyond the end", "inline", func(p patched) { p.u32(sb+40, math.MaxUint32) }, "beyond the image's"},
		{"prefixes beyond the end", "inline", func(p patched) { p.u32(sb+92, math.MaxUint32) }, "reading the long prefixes of xattr names"},
		{"a prefix of nothing", "inline", func(p patched) { p.u32(sb+92, 64) }, "one of 0 bytes"},

		{"format", "inline", func(p patched) { p.u16(p.inode("large"), 0x8001) }, "an inode of format 0x8001"},
		{"layout", "inline", func(p patched) { p.u16(p.inode("large"), 1|5<<1) }, "content of layout 5"},
		{"compressed", "inline", func(p patched) { p.u16(p.inode("large"), 1|3<<1) }, "compressed files (lz4)"},
		{"mode", "inline", func(p patched) { p.u16(p.inode("large")+4, 0o644) }, "a mode of 0644"},
		{"nanoseconds", "inline", func(p patched) { p.u32(p.inode("large")+40, 1e9) }, "a time with 1000000000 nanoseconds"},
		{"negative size", "inline", func(p patched) { p.u64(p.inode("large")+8, math.MaxUint64) }, "a size of 18446744073709551615 bytes"},
		{"huge size", "inline", func(p patched) { p.u64(p.inode("large")+8, math.MaxInt64) }, "bytes"},
		{"content beyond the end", "inline", func(p patched) { p.u32(p.inode("large")+16, 1<<31) }, "beyond the image's"},
		{"content up to beyond the end", "inline", func(p patched) { p.u64(p.inode("large")+8, uint64(len(p.b))+1) }, "beyond the image's"},
		{"a tail over blocks", "inline", func(p patched) { p.u64(p.inode("nothing")+8, 511); p.u16(p.inode("nothing"), 1|2<<1) }, "a tail of 511 bytes goes beyond its block"},

		{"chunk format", "chunks", func(p patched) { p.u16(p.inode("large")+16, 0x8000) }, "chunks of format 0x8000"},
		{"chunk beyond the end", "chunks", func(p patched) { p.u32(p.find("large").tail+4, 1<<31) }, "beyond the image's"},
		{"chunk on a device", "wide-chunks", func(p patched) { p.u16(roundUp(p.find("large").tail, 8)+2, 1) }, "EROFS with data on other devices is not read"},
		{"more chunks than bytes", "chunks", func(p patched) { p.u64(p.inode("large")+8, 1<<40) }, "a list of 268435456 chunks is larger than the image"},
		{"more chunks than lie behind it", "chunks", func(p patched) { p.u64(p.inode("large")+8, uint64(len(p.b)/8*4096)) }, "beyond the image's"},

		{"names at 0", "inline", func(p patched) { p.u16(p.content("empty")+8, 0) }, "names begin at 0"},
		{"names within an entry", "inline", func(p patched) { p.u16(p.content("empty")+8, 13) }, "names begin at 13"},
		{"names beyond the block", "inline", func(p patched) { p.u16(p.content("empty")+8, 0xfff0) }, "names begin at 65520"},
		{"a name before the names", "inline", func(p patched) { p.u16(p.content("empty")+20, 12) }, "a name from 24 to 12"},
		{"a name of nothing", "inline", func(p patched) { p.u16(p.content("empty")+20, 24) }, "a name from 24 to 24"},
		{"no room for an entry", "inline", func(p patched) { p.u64(p.inode("empty")+8, 5) }, "a directory's block of 5 bytes"},
		{"a slash", "inline", func(p patched) { p.u8(p.content("etc")+36+3, '/') }, `the name "/`},
		{"a zero", "inline", func(p patched) { p.u8(p.content("empty")+24, 0) }, `the name "\x00"`},
		{"a zero at the last name", "inline", func(p patched) { p.u8(p.content("etc")+36+3, 0) }, "a name of 0 bytes"},
		{"out of order", "inline", func(p patched) { p.u8(p.content("etc")+36+3, '!') }, `the name "!asswd" comes after ".."`},
		{"twice", "inline", func(p patched) { p.u8(int64(bytes.Index(p.b, []byte("11-nnn")))+1, '0') }, `comes after "10-nnn`},
		{"a directory of zeros", "inline", func(p patched) { clear(p.b[p.content("empty"):][:20]) }, "names begin at 0"},

		{"a target of nothing", "inline", func(p patched) { p.u64(p.inode("sub/link")+8, 0) }, "a symlink's target of 0 bytes"},
		{"a long target", "inline", func(p patched) { p.u64(p.inode("sub/link")+8, 4096) }, "a symlink's target of 4096 bytes"},
		{"a target with a zero", "inline", func(p patched) { p.u8(p.content("sub/link")+2, 0) }, "with a zero byte"},

		{"shared xattrs", "inline", func(p patched) { p.u8(p.find("inline").xattrs+4, 255) }, "255 shared ones are too many"},
		{"a shared xattr beyond the end", "inline", func(p patched) { p.u32(p.find("inline").xattrs+12, math.MaxUint32) }, "beyond the image's"},
		{"an xattr's prefix", "inline", func(p patched) { p.u8(p.find("large").xattrs+13, 9) }, "unknown prefix 0x9"},
		{"a long prefix", "inline", func(p patched) { p.u8(p.find("large").xattrs+13, 0x81) }, "unknown long prefix 0x81"},
		{"an xattr's name", "inline", func(p patched) { p.u8(p.find("large").xattrs+12, 255) }, "an xattr's name of 255 bytes is cut"},
		{"an xattr's value", "inline", func(p patched) { p.u16(p.find("large").xattrs+14, 0xffff) }, "goes beyond its inode"},
		{"xattrs beyond the end", "inline", func(p patched) { p.u16(p.inode("large")+2, 0xffff) }, "beyond the image's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := patched{t, load(t, c.image)}
			if _, err := list(p.b); err != nil {
				t.Fatalf("before the patch: %v", err)
			}
			c.patch(p)
			p.seal()
			_, err := list(p.b)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestChecksum: a bit of the superblock that changed is seen.
func TestChecksum(t *testing.T) {
	p := patched{t, load(t, "inline")}
	p.u8(SuperOffset+50, 1)
	if _, err := list(p.b); err == nil || !strings.HasPrefix(err.Error(), "the superblock's checksum is") {
		t.Errorf("error %v", err)
	}
	p.u32(SuperOffset+8, 0) // the feature
	if _, err := list(p.b); err != nil {
		t.Errorf("without a checksum: %v", err)
	}
}

// TestWideRoot: where the superblock has the root's nid in 64 bits, its old
// place has upper bits of the number of blocks.
func TestWideRoot(t *testing.T) {
	p := patched{t, load(t, "wide")}
	want, err := list(p.b)
	if err != nil {
		t.Fatal(err)
	}
	p.u64(SuperOffset+112, p.find("").Nid)
	p.u16(SuperOffset+14, 0)
	p.seal()
	if got, err := list(p.b); err != nil || got != want {
		t.Errorf("error %v, listing:\n%s", err, got)
	}
	p.u16(SuperOffset+14, 1)
	p.seal()
	if _, err := list(p.b); err == nil || !strings.HasPrefix(err.Error(), "it is cut off: 42949") {
		t.Errorf("2^32 blocks more: error %v", err)
	}
}

// TestPlainPrefixes: long prefixes may be in no packed inode, though there is one.
func TestPlainPrefixes(t *testing.T) {
	p := patched{t, load(t, "room")}
	want, err := list(p.b)
	if err != nil {
		t.Fatal(err)
	}
	p.u64(SuperOffset+96, p.find("holes").Nid)
	p.u32(SuperOffset+80, FeatureFragments|FeaturePrefixes)
	p.seal()
	if got, err := list(p.b); err != nil || got != want {
		t.Errorf("error %v, listing:\n%s", err, got)
	}
}

// TestCut: an image that is cut anywhere is an error.
func TestCut(t *testing.T) {
	for _, name := range []string{"inline", "chunks", "wide-chunks"} {
		whole := load(t, name)
		for size := 0; size < len(whole); size += 500 {
			if _, err := list(whole[:size]); err == nil {
				t.Errorf("%s cut to %d of %d bytes: no error", name, size, len(whole))
			}
		}
	}
}

// TestStrayBytes: what follows the filesystem, such as a tree of hashes, is not
// its own.
func TestStrayBytes(t *testing.T) {
	whole := load(t, "inline")
	want, err := list(whole)
	if err != nil {
		t.Fatal(err)
	}
	got, err := list(append(whole, bytes.Repeat([]byte("stray"), 999)...))
	if err != nil || got != want {
		t.Errorf("error %v, listing:\n%s", err, got)
	}
}

// TestChanged: an image of which some bytes are others ends somewhere.
func TestChanged(t *testing.T) {
	for name := range images {
		whole := load(t, name)
		for seed := range uint64(50) {
			random, p := rand.New(rand.NewPCG(seed, 0)), patched{t, bytes.Clone(whole)}
			for range 1 + random.IntN(20) {
				p.u8(random.Int64N(int64(len(whole))), uint8(random.Uint32()))
			}
			p.seal()
			func() {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("%s changed by seed %d: %v", name, seed, r)
					}
				}()
				_, _ = list(p.b) // whatever it gives
			}()
		}
	}
}

// FuzzImage reads any bytes, with the superblock's checksum set right.
func FuzzImage(f *testing.F) {
	for name := range images {
		f.Add(load(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := patched{t, bytes.Clone(b)}
		if len(b) > SuperOffset+superblockSize {
			p.seal()
		}
		_, _ = list(p.b) // whatever it gives
	})
}
