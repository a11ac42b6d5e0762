package archive

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

const (
	// maxArchiveNames bounds the index of an archive: an image has a few
	// blobs, and the largest archives seen hold some thousands.
	maxArchiveNames = 1 << 20
	// maxNameBytes bounds its names and what its links lead to: one may have a
	// MiB, and a compressed archive has thousands of those in little.
	maxNameBytes = 16 << 20
	// maxLinks is how many links may follow one another, as in a path on Linux.
	maxLinks = 40
)

// Tar is an OCI archive, or docker's, whose blobs are read where they
// lie in the tar.
type Tar struct {
	file  archiveFile
	reads Document
	parts map[string]*io.SectionReader
	// endless says that the archive lacks the zeros that end a tar.
	endless bool
	// quota counts sparse files with their holes, fragments what is between those.
	quota     *inflate.Quota
	fragments int
	// made are the documents that docker's archives do not have.
	made documents
	// aliases are the blobs of docker's archives, which are named by nothing
	// that has to be their digest.
	aliases map[digest.Digest]string
	// layers are docker's that were looked at. Links share a part.
	layers map[*io.SectionReader]dockerBlob
	// configs are docker's that were read.
	configs map[*io.SectionReader]*dockerConfig
	// broken says what is wrong with those of docker's images that cannot be read.
	broken map[digest.Digest]error
}

// OpenTar indexes the archive in the file of that name, "-" for standard input.
// One that is compressed, or is in no regular file, is first written out to a
// spool. An error about that spool is a SpoolError. The caller closes the Tar.
func OpenTar(ctx context.Context, name string, o Options) (*Tar, error) {
	file, err := plainFile(ctx, name, o)
	if err != nil {
		return nil, err
	}
	a := newTar(file, o)
	if err := a.list(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func newTar(file archiveFile, o Options) *Tar {
	return &Tar{
		file: file, reads: cmp.Or(o.Document, OCIIndex), quota: inflate.NewQuota(o.MaxBytes),
		parts: map[string]*io.SectionReader{}, made: documents{}, aliases: map[digest.Digest]string{},
		layers: map[*io.SectionReader]dockerBlob{}, configs: map[*io.SectionReader]*dockerConfig{},
		broken: map[digest.Digest]error{},
	}
}

// Close ends the archive; what ReaderAt gave is to be closed before.
func (a *Tar) Close() error { return a.file.Close() }

// list finds the files of the archive, links between them followed: docker's
// archives name a layer that two images share twice. What comes later replaces
// what has its name, as where it is unpacked.
func (a *Tar) list(ctx context.Context) error {
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	whole := io.NewSectionReader(a.file, 0, info.Size())
	reader := tar.NewReader(whole)
	links := make(map[string]string)
	nameBytes, first := 0, int64(0) // where the next member's headers begin
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
		// The reader has read as far as the body begins.
		at, err := whole.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		end, err := a.member(header, first, at, links)
		if err != nil {
			return fmt.Errorf("file %q: %w", header.Name, err)
		}
		if end > info.Size() {
			return fmt.Errorf("file %q: %w", header.Name, io.ErrUnexpectedEOF)
		}
		first = padded(end)
	}
	a.endless = first >= info.Size()
	a.follow(links)
	return nil
}

// member takes the member whose headers begin at first and whose body at, and says
// where that ends.
func (a *Tar) member(header *tar.Header, first, at int64, links map[string]string) (end int64, err error) {
	name := clean(header.Name)
	switch header.Typeflag {
	case tar.TypeSymlink:
		target := header.Linkname
		if !path.IsAbs(target) {
			//nolint:gosec // G305: a key of this archive's index, never a path of this host
			target = path.Join(path.Dir(name), target)
		}
		a.link(links, name, clean(target))
		return at, nil
	case tar.TypeLink:
		a.link(links, name, clean(header.Linkname))
		return at, nil
	case tar.TypeDir, tar.TypeChar, tar.TypeBlock, tar.TypeFifo, tar.TypeXGlobalHeader:
		return at, nil
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
	default: // what this package has no use for may have a body as well
		name = ""
	}
	var part *io.SectionReader
	switch {
	case holesOf(header) != notSparse:
		if part, end, err = a.sparse(header, first, at); err != nil {
			return 0, err
		}
	case header.Size > math.MaxInt64-at:
		return 0, io.ErrUnexpectedEOF
	default:
		part, end = io.NewSectionReader(a.file, at, header.Size), at+header.Size
	}
	if name != "" {
		delete(links, name)
		a.parts[name] = part
	}
	return end, nil
}

// link takes a link, which replaces a file of its name.
func (a *Tar) link(links map[string]string, name, target string) {
	if name != target {
		delete(a.parts, name)
		links[name] = target
	}
}

// clean gives a name as it is looked up: archives begin theirs with "./" or "/",
// and none leads out of them.
func clean(name string) string { return strings.TrimPrefix(path.Join("/", name), "/") }

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
		if part := a.parts[target]; part != nil {
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
	if err := a.broken[desc.Digest]; err != nil {
		return nil, err
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
	part := a.parts[clean(name)]
	if part == nil {
		return nil, fmt.Errorf("file %q: %w", name, errdefs.ErrNotFound)
	}
	return part, nil
}
