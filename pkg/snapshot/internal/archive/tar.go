package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// maxArchiveNames bounds the index of an archive: an image has a few
	// blobs, and the largest archives seen hold some thousands.
	maxArchiveNames = 1 << 20
	// maxNameBytes bounds its names and what its links lead to: one may have a
	// MiB, and a compressed archive has thousands of those in little.
	maxNameBytes = 16 << 20
	// maxLinks is how many links may follow one another, as in a path on Linux.
	maxLinks       = 40
	dockerManifest = "manifest.json"
)

// Tar is an OCI archive, or docker's, whose blobs are read where they
// lie in the tar.
type Tar struct {
	file  archiveFile
	parts map[string]*io.SectionReader
	// made are the documents that docker's archives do not have.
	made documents
	// aliases are the blobs of docker's archives, which are named by nothing
	// that has to be their digest.
	aliases map[digest.Digest]string
	// digests are those of docker's layers that were looked at, empty for a plain
	// one. Links share a part.
	digests map[*io.SectionReader]digest.Digest
	// configs are docker's that were read.
	configs map[*io.SectionReader]*dockerConfig
}

// OpenTar indexes the archive in the file of that name, "-" for standard input.
// One that is compressed, or is in no regular file, is first written out to a
// spool. An error about that spool is a SpoolError. The caller closes the Tar.
func OpenTar(ctx context.Context, name string, o Options) (*Tar, error) {
	file, err := plainFile(ctx, name, o)
	if err != nil {
		return nil, err
	}
	a := &Tar{
		file: file, made: documents{}, aliases: map[digest.Digest]string{},
		digests: map[*io.SectionReader]digest.Digest{},
		configs: map[*io.SectionReader]*dockerConfig{},
	}
	if err := a.list(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Close ends the archive; what ReaderAt gave is to be closed before.
func (a *Tar) Close() error { return a.file.Close() }

// list finds the files of the archive, links between them followed: docker's
// archives name a layer that two images share twice.
func (a *Tar) list(ctx context.Context) error {
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	whole := io.NewSectionReader(a.file, 0, info.Size())
	reader := tar.NewReader(whole)
	a.parts = make(map[string]*io.SectionReader)
	links := make(map[string]string)
	nameBytes := 0
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if len(a.parts)+len(links) > maxArchiveNames {
			return fmt.Errorf("it holds more than %d files", maxArchiveNames)
		}
		if nameBytes += len(header.Name) + len(header.Linkname); nameBytes > maxNameBytes {
			return fmt.Errorf("its names and links have more than %d bytes", maxNameBytes)
		}
		name := path.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeReg:
			// The reader has read as far as the body begins.
			at, err := whole.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			if header.Size > info.Size()-at {
				return fmt.Errorf("file %q: %w", name, io.ErrUnexpectedEOF)
			}
			a.parts[name] = io.NewSectionReader(a.file, at, header.Size)
		case tar.TypeSymlink:
			//nolint:gosec // G305: a key of this archive's index, never a path of this host
			links[name] = path.Join(path.Dir(name), header.Linkname)
		case tar.TypeLink:
			links[name] = path.Clean(header.Linkname)
		}
	}
	a.follow(links)
	return nil
}

// follow gives links what their targets are, which may be links as well; one
// that leads nowhere, or goes on for too long, names nothing.
func (a *Tar) follow(links map[string]string) {
	found := make(map[string]*io.SectionReader)
	for name, target := range links {
		for range maxLinks {
			next, isLink := links[target]
			if !isLink {
				break
			}
			target = next
		}
		// A file wins over a link of its name: which of them an unpacked archive
		// would have depends on their order, and no writer makes both.
		if part := a.parts[target]; part != nil && a.parts[name] == nil {
			found[name] = part
		}
	}
	maps.Copy(a.parts, found)
}

// ReaderAt makes an archive a content.Provider.
func (a *Tar) ReaderAt(_ context.Context, desc ispec.Descriptor) (content.ReaderAt, error) {
	if err := desc.Digest.Validate(); err != nil {
		return nil, err
	}
	if data, ok := a.made[desc.Digest]; ok {
		return inMemory(data), nil
	}
	name, ok := a.aliases[desc.Digest]
	if !ok {
		name = path.Join(ispec.ImageBlobsDir, desc.Digest.Algorithm().String(), desc.Digest.Encoded())
	}
	part := a.parts[name]
	if part == nil {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, errdefs.ErrNotFound)
	}
	// Readers share no position.
	return section{io.NewSectionReader(part, 0, part.Size())}, nil
}

// Index gives the archive's index.json, or one made of docker's manifest.json.
// An archive that has both was written by a docker that knows layouts.
func (a *Tar) Index(ctx context.Context) (index ispec.Index, err error) {
	if a.parts[ispec.ImageLayoutFile] == nil {
		return a.dockerIndex(ctx)
	}
	var marker ispec.ImageLayout
	if err := a.document(ispec.ImageLayoutFile, &marker); err != nil {
		return index, err
	}
	if err := checkLayout(marker); err != nil {
		return index, err
	}
	return index, a.document(ispec.ImageIndexFile, &index)
}

// document reads a JSON file of the archive.
func (a *Tar) document(name string, into any) error {
	part, err := a.part(name)
	if err != nil {
		return err
	}
	return parseDocument(name, part, part.Size(), into)
}

// part gives a file that the archive must have.
func (a *Tar) part(name string) (*io.SectionReader, error) {
	part := a.parts[path.Clean(name)]
	if part == nil {
		return nil, fmt.Errorf("file %q: %w", name, errdefs.ErrNotFound)
	}
	return part, nil
}
