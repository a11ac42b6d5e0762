package erofs

// The on-disk format, as linux/fs/erofs/erofs_fs.h has it. All numbers are
// little endian; encoding/binary lays the structs out as they are here.
//
// A filesystem is a run of blocks. Its superblock lies at a fixed place. Inodes
// lie in a metadata area: an inode's number (nid) is where it begins, in slots.
// Behind an inode are its xattrs, then the tail of its content or the list of
// its chunks.
const (
	// Magic is at the superblock's beginning, SuperOffset bytes into the image.
	Magic       = 0xe0f5e1e2
	SuperOffset = 1024
	// SlotSize is the unit of nids.
	SlotSize = 32

	minBlockBits = 9
	maxBlockBits = 16 // 64 KiB: the largest page of a machine that mounts it

	superblockSize    = 128 // without extra slots
	compactInodeSize  = 32
	extendedInodeSize = 64
	direntSize        = 12
	maxName           = 255

	// noBlock stands for a hole.
	noBlock   = 1<<48 - 1
	noBlock32 = 1<<32 - 1
)

// superblock is struct erofs_super_block.
type superblock struct {
	Magic         uint32
	Checksum      uint32 // crc32c of the block, with FeatureChecksum
	Compat        uint32
	BlockBits     uint8
	ExtraSlots    uint8
	RootNid       uint16 // the blocks' upper bits, with Feature48Bit and RootNid64
	Inodes        uint64
	Epoch         int64 // to which the times of compact inodes are added
	FixedNanos    uint32
	Blocks        uint32
	MetaBlock     uint32
	XattrBlock    uint32
	UUID          [16]byte
	Volume        [16]byte
	Incompat      uint32
	Algorithms    uint16 // with FeatureCompression: a bit each
	ExtraDevices  uint16
	DeviceSlot    uint16
	DirBlockBits  uint8
	PrefixCount   uint8
	PrefixStart   uint32 // in units of 4 bytes
	PackedNid     uint64
	FilterUnused  uint8
	SharePrefix   uint8
	Reserved      [2]uint8
	BuildTime     uint32 // seconds added to Epoch
	RootNid64     uint64
	ReservedToEnd [8]byte
}

// Features that a reader may pass over (feature_compat).
const (
	FeatureChecksum      = 0x1
	featurePlainPrefixes = 0x10 // long xattr prefixes are in no packed inode
)

// Features that a reader has to know (feature_incompat). Three bits have two
// names each, of which one is about compressed files.
const (
	FeatureZeroPadding = 0x1 // lz4
	FeatureCompression = 0x2
	FeatureChunks      = 0x4
	FeatureDevices     = 0x8  // or a second algorithm
	FeatureTailPacking = 0x10 // compressed tails inline
	FeatureFragments   = 0x20 // or deduplicated compressed extents
	FeaturePrefixes    = 0x40
	Feature48Bit       = 0x80
	FeatureMetabox     = 0x100

	// Those about compressed files matter where there is such a file.
	knownFeatures = FeatureZeroPadding | FeatureCompression | FeatureChunks | FeatureDevices |
		FeatureTailPacking | FeatureFragments | FeaturePrefixes | Feature48Bit
)

// algorithms are the names of the bits of superblock.Algorithms.
var algorithms = []string{"lz4", "lzma", "deflate", "zstd"}

// i_format: bit 0 tells the inode's size, the next three its layout.
const (
	formatExtended = 0x1
	formatLayout   = 0x7 << 1
	// formatOneLink: a compact inode of one name uses the link count's field for
	// upper bits of its block. Of a directory: it has no entry ".".
	formatOneLink = 0x10
	formatKnown   = formatExtended | formatLayout | formatOneLink
)

// Where an inode's content lies.
const (
	layoutPlain       = 0 // in blocks that follow one another
	layoutCompressed  = 1
	layoutInline      = 2 // so, except for the tail, which follows the inode
	layoutCompressed2 = 3
	layoutChunks      = 4 // in chunks, each anywhere
)

// compactInode is struct erofs_inode_compact.
type compactInode struct {
	Format     uint16
	XattrCount uint16
	Mode       uint16
	Links      uint16 // or upper bits of the block, with formatOneLink
	Size       uint32
	MTime      uint32 // added to superblock.Epoch
	Data       uint32 // a block, a device number or a chunk format
	Number     uint32 // means nothing
	UID        uint16
	GID        uint16
	Reserved   uint32
}

// extendedInode is struct erofs_inode_extended.
type extendedInode struct {
	Format     uint16
	XattrCount uint16
	Mode       uint16
	BlockHigh  uint16
	Size       uint64
	Data       uint32
	Number     uint32
	UID        uint32
	GID        uint32
	MTime      int64
	MTimeNanos uint32
	Links      uint32
	Reserved   [16]byte
}

// The format of a file in chunks: how many blocks a chunk has, as a power of
// two, and what the list of chunks holds: block numbers or chunk indexes.
const (
	chunkBits     = 0x1f
	chunkIndexes  = 0x20
	chunk48Bit    = 0x40
	chunkKnown    = chunkBits | chunkIndexes | chunk48Bit
	blockMapSize  = 4
	chunkListSize = 8 // an index: upper bits of the block, device, block
)

// Extended attributes: behind an inode is a header (a filter of names, the
// number of shared attributes), then the shared ones' ids, then attributes. Each
// has the length of its name, the index of the name's prefix and the length of
// its value before it, and begins at a multiple of four bytes.
const (
	xattrHeaderSize = 12
	xattrEntrySize  = 4
	xattrAlign      = 4
	longPrefix      = 0x80 // the index is one into the list of long prefixes
)

// prefixes are what the indexes of names stand for.
var prefixes = [...]string{
	1: "user.",
	2: "system.posix_acl_access",
	3: "system.posix_acl_default",
	4: "trusted.",
	5: "lustre.",
	6: "security.",
}
