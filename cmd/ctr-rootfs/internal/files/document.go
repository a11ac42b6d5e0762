package files

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
)

// maxDocument is more than any config.json or list of patterns has: a device
// that never ends must not fill the memory.
const maxDocument = 16 << 20

// Document gives the whole content of a file that a flag names. A FIFO, as a
// shell's <(...) is, is waited for.
func Document(ctx context.Context, name string) ([]byte, error) {
	file, err := hostfile.Open(ctx, name, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", name, hostfile.WithoutPath(err))
	}
	defer file.Close()
	data, err := ReadAtMost(ctx, file, maxDocument)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, hostfile.WithoutPath(err))
	}
	return data, nil
}

// ReadAtMost reads all there is, which must not be more than limit bytes. Who
// writes it may stall.
func ReadAtMost(ctx context.Context, r io.Reader, limit int64) ([]byte, error) {
	data, err := hostfile.Await(ctx, func() ([]byte, error) {
		return io.ReadAll(io.LimitReader(r, limit+1))
	}, func([]byte) {})
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return data, err
}
