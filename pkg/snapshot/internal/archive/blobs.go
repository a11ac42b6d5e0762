package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// documents are blobs that were made or read here, by digest.
type documents map[digest.Digest][]byte

func (d documents) add(mediaType string, data []byte) ispec.Descriptor {
	desc := ispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	d[desc.Digest] = data
	return desc
}

// readDocument gives a small file of an archive whole.
func readDocument(name string, file io.ReaderAt, size int64) ([]byte, error) {
	if size > document.MaxBytes {
		return nil, fmt.Errorf("reading %q: %d bytes are more than the %d that such a document may have", name, size, document.MaxBytes)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), data); err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, hostfile.WithoutPath(err))
	}
	return data, nil
}

// parseDocument reads a JSON file of an archive.
func parseDocument(name string, file io.ReaderAt, size int64, into any) error {
	data, err := readDocument(name, file, size)
	if err != nil {
		return err
	}
	if index, is := into.(*ispec.Index); is {
		*index, err = document.ParseIndex(data)
	} else {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("parsing %q: %w", name, err)
	}
	return nil
}

// section is a part of a file as a blob.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

func inMemory(data []byte) content.ReaderAt {
	return section{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}
}
