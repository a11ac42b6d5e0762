package snapshot

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// plainFile gives an archive as an uncompressed tar that can be read here and
// there: the file itself, or a copy of what is in it. The caller closes it.
func plainFile(ctx context.Context, req Request, tell func(Step)) (*os.File, error) {
	stream, total := req.Stdin, int64(0)
	if req.Source.Name != "-" {
		file, err := openInterruptible(ctx, req.Source.Name)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if asItIs, err := isPlain(file); err == nil && asItIs && info.Mode().IsRegular() {
			return file, nil
		}
		defer file.Close()
		stream, total = file, info.Size()
	}
	interruptible := cancellable(ctx, stream)
	defer interruptible.Close()
	inflated, err := decompressed(watchReading(interruptible, tell, total))
	if err != nil {
		return nil, err
	}
	defer inflated.Close()
	return spooled(inflated, req.SpoolDir)
}

// openInterruptible opens a file that may be a FIFO: opening one waits for its
// writer, which only ctx can end.
func openInterruptible(ctx context.Context, name string) (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		file, err := os.Open(name)
		opened <- result{file, err}
	}()
	select {
	case r := <-opened:
		return r.file, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// isPlain says whether a file is not compressed, as far as its start shows.
func isPlain(file io.ReaderAt) (bool, error) {
	start := make([]byte, 4)
	n, err := file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return wrappingOf(start[:n]) == plain, nil
}

// spooled writes a stream to a file in dir, the default one for temporary
// files where that is empty. The file has no name: it goes with its descriptor.
func spooled(stream io.Reader, dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	file, err := os.CreateTemp(dir, "ctr-rootfs-archive-")
	if err != nil {
		return nil, &SpoolError{Dir: dir, Err: withoutPath(err)}
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(&SpoolError{Dir: dir, Err: withoutPath(err)}, file.Close())
	}
	if _, err := io.Copy(spoolWriter{file, dir}, stream); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// spoolWriter tells an error of writing from one of the stream that is copied.
type spoolWriter struct {
	file *os.File
	dir  string
}

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = &SpoolError{Dir: w.dir, Err: withoutPath(err)}
	}
	return n, err
}

func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
