package archive

import (
	"bytes"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// documents are blobs that were made or read here, by digest.
type documents map[digest.Digest][]byte

func (d documents) add(mediaType string, data []byte) ispec.Descriptor {
	desc := ispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	d[desc.Digest] = data
	return desc
}

// section is a part of a file as a blob.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

func inMemory(data []byte) content.ReaderAt {
	return section{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}
}
