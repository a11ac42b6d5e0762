package inflate

import (
	"bufio"
	"math"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxWindow is what containerd's decoder takes, which is klauspost's default.
	maxWindow = zstd.MaxWindowSize
	// narrowWindow is what RFC 8878, 3.1.1.1.2 recommends every decoder to take;
	// "zstd -19" asks for no more.
	narrowWindow = 8 << 20
	blockHeader  = 3
	checksumSize = 4
)

// frames passes on a stream of zstd frames (RFC 8878, 3.1), to see how wide their
// windows are before a decoder allocates them. What is wrong with the stream the
// decoder says.
type frames struct {
	in *bufio.Reader
	// left is how much is to be passed on before the next header.
	left              int64
	inFrame, checksum bool
	// turn, where there is one, is held from the first wide window until release.
	turn *sync.Mutex
	wide bool
}

func (f *frames) Read(p []byte) (int, error) {
	if f.left == 0 {
		f.left = f.next()
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	return n, err
}

// next gives the size of what comes next: a frame's header, a block with the
// checksum that may follow it, or a skippable frame.
func (f *frames) next() int64 {
	if f.inFrame {
		return f.block()
	}
	start, _ := f.in.Peek(zstd.HeaderMaxSize) // fewer where the stream is shorter
	var h zstd.Header
	switch {
	case h.Decode(start) != nil:
		return math.MaxInt64
	case h.Skippable:
		return int64(h.HeaderSize) + int64(h.SkippableSize)
	case h.WindowSize > narrowWindow, h.SingleSegment && h.FrameContentSize > narrowWindow:
		f.hold()
	}
	f.inFrame, f.checksum = true, h.HasCheckSum
	return int64(h.HeaderSize)
}

// block gives a block's size (RFC 8878, 3.1.1.2).
func (f *frames) block() int64 {
	const runLength = 1
	head, err := f.in.Peek(blockHeader)
	if err != nil {
		return math.MaxInt64
	}
	bits := int64(head[0]) | int64(head[1])<<8 | int64(head[2])<<16
	size := bits >> 3
	if bits>>1&3 == runLength {
		size = 1
	}
	if last := bits&1 == 1; last {
		f.inFrame = false
		if f.checksum {
			size += checksumSize
		}
	}
	return blockHeader + size
}

func (f *frames) hold() {
	if !f.wide && f.turn != nil {
		f.turn.Lock()
	}
	f.wide = true
}

// release is called when nothing refers to the decoder any more. The next one may
// ask for as much memory, before Go would collect what this one had.
func (f *frames) release() {
	if !f.wide {
		return
	}
	runtime.GC()
	if f.turn != nil {
		f.turn.Unlock()
	}
	f.wide = false
}
