package archive

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
	"github.com/ctr-rootfs/ctr-rootfs/internal/spoolfile"
)

var errNoStdin = errors.New("there is no standard input")

// plainFile gives an archive as an uncompressed tar that can be read here and
// there: the file itself, or a copy of what is in it. The caller closes it.
func plainFile(ctx context.Context, name string, o Options) (archiveFile, error) {
	stream, total := o.Stdin, int64(0)
	if name == "-" && stream == nil {
		return nil, errNoStdin
	}
	if name != "-" {
		file, err := hostfile.Open(ctx, name, os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if wrapping, err := inflate.WrappingOf(file); err == nil && wrapping == inflate.Plain && info.Mode().IsRegular() {
			if err := checkForeign(file); err != nil {
				return nil, errors.Join(err, file.Close())
			}
			return file, nil
		}
		defer file.Close()
		stream, total = file, info.Size()
	}
	interruptible := cancellable(ctx, stream)
	defer interruptible.Close()
	watched := io.Reader(interruptible)
	if o.Watch != nil {
		watched = o.Watch(interruptible, total)
	}
	inflated, err := inflate.NewReader(watched, inflate.Options{Archive: true})
	if err != nil {
		return nil, err
	}
	defer inflated.Close()
	content := bufio.NewReaderSize(inflate.NewQuota(o.MaxBytes).Limit(inflated), foreignSize)
	start, err := content.Peek(foreignSize)
	if other := foreign(start); other != nil {
		return nil, other
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return spooled(content, o.SpoolDir)
}

// archiveFile is an archive that can be read here and there.
type archiveFile interface {
	io.ReaderAt
	io.Closer
	Stat() (os.FileInfo, error)
}

// spooled writes a stream to a file in dir, the default one for temporary
// files where that is empty.
func spooled(stream io.Reader, dir string) (archiveFile, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	file, err := spoolfile.Open(dir)
	if err != nil {
		return nil, &SpoolError{Dir: dir, Err: hostfile.WithoutPath(err)}
	}
	if _, err := io.Copy(spoolWriter{file.File, dir}, stream); err != nil {
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
		err = &SpoolError{Dir: w.dir, Err: hostfile.WithoutPath(err)}
	}
	return n, err
}

// cancellable is a stream that ends with ctx, whose end a read of standard
// input that stands still would not see, nor one of many GiB. The caller closes
// it.
func cancellable(ctx context.Context, stream io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(w, stream)
		w.CloseWithError(err)
		stop()
	}()
	return r
}
