package archive

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Document is the file in which an archive lists its images. Docker's since version
// 25, and containerd's, have both.
type Document string

const (
	// OCIIndex is an OCI layout's (image-spec, image-layout.md, "index.json file").
	OCIIndex Document = ispec.ImageIndexFile
	// DockerManifest is what docker has written since version 1.10.
	DockerManifest Document = "manifest.json"
)

// dockerRepositories is what docker wrote before, and beside it for long.
const dockerRepositories = "repositories"

// ErrOldDocker is an archive in docker's first form, whose images have neither
// manifests nor diff IDs.
var ErrOldDocker = errors.New("it is of a docker before 1.10: it has no " + string(DockerManifest))

// errNoArchive is what a tar without an image is.
var errNoArchive = fmt.Errorf("it is not an image archive: it has neither %s nor %s", OCIIndex, DockerManifest)

// Document says which list of images the archive is read by.
func (a *Tar) Document() Document { return a.reads }

// Has says whether the archive has the list that it is read by.
func (a *Tar) Has() bool { return a.parts[string(a.reads)] != nil }

// Other is the same archive read by its other list of images; nil where it has none.
func (a *Tar) Other() *Tar {
	other := *a
	other.reads = OCIIndex
	if a.reads == OCIIndex {
		other.reads = DockerManifest
	}
	if !other.Has() {
		return nil
	}
	return &other
}

// Index gives the archive's index.json, or what one would be of its manifest.json.
func (a *Tar) Index(ctx context.Context) (index ispec.Index, err error) {
	switch {
	case !a.Has():
		err = a.unlisted()
	case a.reads == DockerManifest:
		index, err = a.dockerIndex(ctx)
	default:
		index, err = a.ociIndex()
	}
	if err == nil && len(index.Manifests) == 0 {
		err = fmt.Errorf("its %s lists no image", a.reads)
	}
	return index, err
}

func (a *Tar) ociIndex() (index ispec.Index, err error) {
	const name = ispec.ImageLayoutFile
	switch {
	case a.parts[name] == nil && a.endless: // containerd writes it last
		return index, cut(noLayout(name))
	case a.parts[name] == nil:
		return index, noLayout(name)
	}
	var marker ispec.ImageLayout
	if err := a.document(name, &marker); err != nil {
		return index, err
	}
	if err := checkLayout(marker); err != nil {
		return index, err
	}
	return index, a.document(string(OCIIndex), &index)
}

// Names is the list as far as it names images: its descriptors have no content
// where docker wrote it.
func (a *Tar) Names() (index ispec.Index, err error) {
	if a.reads == OCIIndex {
		return index, a.document(string(OCIIndex), &index)
	}
	saved, err := a.dockerImages()
	for _, s := range saved {
		desc := ispec.Descriptor{MediaType: images.MediaTypeDockerSchema2Manifest, Digest: digest.FromString(s.Config)}
		index.Manifests = append(index.Manifests, named(desc, s.RepoTags)...)
	}
	return index, err
}

// unlisted says why the list of images is not there.
func (a *Tar) unlisted() error {
	var blobs, folders, configs bool
	var below []string
	for name := range a.parts {
		dir, base := path.Split(name)
		switch {
		case isBlob(name):
			blobs = true
		case base == "layer.tar" && a.parts[dir+"json"] != nil:
			folders = true
		case dir == "" && strings.HasSuffix(base, ".json"):
			configs = true
		case base == string(OCIIndex) || base == string(DockerManifest):
			below = append(below, path.Clean(dir))
		}
	}
	switch {
	case a.Other() != nil && a.endless:
		return cut(fmt.Errorf("it has no %s", a.reads))
	case a.Other() != nil:
		return fmt.Errorf("it has no %s", a.reads)
	case len(a.parts) == 0:
		return &CutError{errors.New("it is empty")}
	case blobs, folders && configs, folders && a.endless:
		return cut(fmt.Errorf("it has layers, and neither %s nor %s", OCIIndex, DockerManifest))
	case folders, a.parts[dockerRepositories] != nil:
		return ErrOldDocker
	case len(below) > 0:
		return fmt.Errorf("its %s and %s are looked for at its top, and it has one in the folder %q", OCIIndex, DockerManifest, slices.Min(below))
	case a.endless:
		return cut(fmt.Errorf("it lacks a tar's end, and has neither %s nor %s", OCIIndex, DockerManifest))
	}
	return errNoArchive
}

// isBlob knows the names that layouts, and skopeo, jib and others, give to layers.
func isBlob(name string) bool {
	if rest, ok := strings.CutPrefix(name, ispec.ImageBlobsDir+"/"); ok {
		return strings.Count(rest, "/") == 1
	}
	encoded, ok := strings.CutSuffix(strings.TrimSuffix(name, ".gz"), ".tar")
	return ok && digest.NewDigestFromEncoded(digest.SHA256, encoded).Validate() == nil
}
