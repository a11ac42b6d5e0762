package snapshot

import (
	"fmt"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/distribution/reference"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/archive"
)

// SourceKind tells the forms of SOURCE apart.
type SourceKind string

// The forms of SOURCE, each named by its prefix; an image name has none.
const (
	ImageName     SourceKind = "image"
	OCILayout     SourceKind = "oci"
	OCIArchive    SourceKind = "oci-archive"
	DockerArchive SourceKind = "docker-archive"
	SnapshotKey   SourceKind = "snapshot"
	ContainerID   SourceKind = "container"
	PodName       SourceKind = "pod"
)

// Source is what a user asked to export.
type Source struct {
	Kind SourceKind
	// Name is the whole image name (docker.io/library/alpine:latest), the
	// path of a layout or archive ("-" is standard input), or the key, id or
	// name of a snapshot, container or pod.
	Name string
	// Typed is an image name as the user wrote it: stores hold names that no
	// normalisation gives ("sha256:..." of CRI, names of "ctr images tag").
	Typed string
	// Ref chooses one of the images that an archive holds; empty where there
	// is but one.
	Ref string
}

// String gives SOURCE in the words that ParseSource reads.
func (s Source) String() string {
	text := s.Name
	if s.Kind != ImageName {
		text = string(s.Kind) + ":" + s.Name
	}
	if s.Ref != "" {
		text += ":" + s.Ref
	}
	return text
}

// InArchive says whether the image comes out of a file or directory instead
// of a store.
func (s Source) InArchive() bool {
	return s.Kind == OCILayout || s.Kind == OCIArchive || s.Kind == DockerArchive
}

// HasTask says whether the source is a container, which may be running.
func (s Source) HasTask() bool { return s.Kind == ContainerID || s.Kind == PodName }

// DefaultNamespace is containerd's namespace where nobody names one: pods are
// where the kubelet has them made.
func (s Source) DefaultNamespace() string {
	if s.Kind == PodName {
		return "k8s.io"
	}
	return namespaces.Default
}

// IsImage says whether Source is made of layers, as images are.
func (s Source) IsImage() bool { return s.Kind == ImageName || s.InArchive() }

// CheckExists is an error where the file or directory of an archive is not there;
// the other kinds are the store's to find. It saves making a store for nothing.
func (s Source) CheckExists() error {
	if !s.InArchive() || s.Name == "-" {
		return nil
	}
	if _, err := os.Stat(s.Name); err != nil {
		return &ArchiveError{Path: s.Name, Err: archive.Explain(s.Name, err)}
	}
	return nil
}

// ParseSource reads SOURCE. An image name is normalised as docker does it.
func ParseSource(text string) (Source, error) {
	prefix, rest, found := strings.Cut(text, ":")
	kind := SourceKind(prefix)
	if found && kind.known() {
		return parsePrefixed(text, kind, rest)
	}
	named, err := reference.ParseDockerRef(text)
	if err != nil {
		return Source{}, fmt.Errorf("parsing source %q: %w", text, err)
	}
	return Source{Kind: ImageName, Name: named.String(), Typed: text}, nil
}

func (k SourceKind) known() bool {
	switch k {
	case OCILayout, OCIArchive, DockerArchive, SnapshotKey, ContainerID, PodName:
		return true
	}
	return false
}

func parsePrefixed(text string, kind SourceKind, rest string) (Source, error) {
	s := Source{Kind: kind, Name: rest}
	if s.InArchive() {
		s.Name, s.Ref = splitReference(rest)
	}
	if s.Name == "" {
		return Source{}, fmt.Errorf("parsing source %q: nothing follows %q", text, string(kind)+":")
	}
	if kind == PodName && len(podReadings(s.Name)) == 0 {
		return Source{}, fmt.Errorf("parsing source %q: it is pod:[NAMESPACE/]POD[/CONTAINER]", text)
	}
	return s, nil
}

// splitReference tells the path of an archive from the reference behind it,
// where both may have colons: the longest path that is there is the one that is
// meant, and where none is, the shortest.
func splitReference(text string) (path, ref string) {
	for end := len(text); end > 0; end = strings.LastIndexByte(text[:end], ':') {
		if _, err := os.Lstat(text[:end]); err == nil {
			return text[:end], strings.TrimPrefix(text[end:], ":")
		}
	}
	path, ref, _ = strings.Cut(text, ":")
	return path, ref
}
