package imagetest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
)

// Blob is a layer as it is stored, of which the tar may be larger than memory.
type Blob struct {
	Data   []byte
	DiffID digest.Digest
	// MediaType is that of gzipped tars where it is nil.
	MediaType *string
}

// WriteBlob compresses what write writes.
func WriteBlob(write func(io.Writer) error) (Blob, error) {
	var data bytes.Buffer
	zip, err := gzip.NewWriterLevel(&data, gzip.BestSpeed)
	if err != nil {
		return Blob{}, fmt.Errorf("starting gzip: %w", err)
	}
	content := digest.Canonical.Digester()
	if err := write(io.MultiWriter(zip, content.Hash())); err != nil {
		return Blob{}, fmt.Errorf("writing a layer: %w", err)
	}
	if err := zip.Close(); err != nil {
		return Blob{}, fmt.Errorf("compressing a layer: %w", err)
	}
	return Blob{Data: data.Bytes(), DiffID: content.Digest()}, nil
}

// WriteNames writes the tar of n empty files, 1,024 in a directory.
func WriteNames(w io.Writer, n int) error {
	header := Layer{File("", 0o644, "")}.Tar()[:blockSize]
	for i := range n {
		name := fmt.Sprintf("%d/%d", i>>10, i)
		clear(header[:100])
		copy(header, name)
		setChecksum(header)
		if _, err := w.Write(header); err != nil {
			return fmt.Errorf("writing %q: %w", name, err)
		}
	}
	if _, err := w.Write(make([]byte, 2*blockSize)); err != nil {
		return fmt.Errorf("ending a layer: %w", err)
	}
	return nil
}

// WriteEndless writes the beginning of a tar whose one file is 8 GiB of zeros.
func WriteEndless(w io.Writer) error {
	const said, written, block = 8<<30 - 1, 256, 1 << 20
	header := Layer{File("zeros", 0o644, "")}.Tar()[:blockSize]
	octal(header[124:136], said)
	setChecksum(header)
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("writing a header: %w", err)
	}
	zeros := make([]byte, block)
	for range written {
		if _, err := w.Write(zeros); err != nil {
			return fmt.Errorf("writing zeros: %w", err)
		}
	}
	return nil
}
