package snapshot

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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
	// name of a snapshot, container or pod. An image name that cannot be
	// normalised stands as it is: only a store can have it, see CheckName.
	Name string
	// Typed is an image name as the user wrote it, for which a store is asked
	// first: stores hold names that no normalisation gives ("sha256:..." of CRI,
	// names of "ctr images tag").
	Typed string
	// Ref chooses one of the images that an archive holds; empty where there
	// is but one.
	Ref string
}

// String gives SOURCE in the words that ParseSource reads.
func (s Source) String() string {
	if s.Kind == ImageName {
		return quotedName(s.Name)
	}
	text := string(s.Kind) + ":" + s.Name
	if s.Ref != "" {
		text += ":" + s.Ref
	}
	return text
}

// quotedName quotes an image name that would be read as another form of SOURCE,
// or as a flag, or that is not one printable word.
func quotedName(name string) string {
	again, err := ParseSource(name)
	quoted := strconv.Quote(name)
	if err != nil || again.Kind != ImageName || again.Typed != name || name[0] == '-' ||
		quoted[1:len(quoted)-1] != name || strings.ContainsFunc(name, unicode.IsSpace) {
		return quoted
	}
	return name
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

// ParseSource reads SOURCE. What begins with none of the forms is an image name,
// and is normalised as docker does it where that can be. One in double quotes,
// with the escapes of Go or JSON, is an image name whatever it begins with, and is
// not normalised.
func ParseSource(text string) (Source, error) {
	if strings.HasPrefix(text, `"`) {
		name, err := strconv.Unquote(text)
		if err != nil || !plausible(name) {
			return Source{}, fmt.Errorf("parsing source %q: it begins with a quotation mark, and is not the quoted name of an image", text)
		}
		return Source{Kind: ImageName, Name: name, Typed: name}, nil
	}
	prefix, rest, found := strings.Cut(text, ":")
	kind := SourceKind(prefix)
	if found && kind.known() {
		return parsePrefixed(text, kind, rest)
	}
	if !plausible(text) {
		return Source{}, fmt.Errorf("parsing source %q: no image has such a name", text)
	}
	name, err := normalised(text)
	if err != nil {
		name = text
	}
	return Source{Kind: ImageName, Name: name, Typed: text}, nil
}

// plausible says whether a store can have an image of that name: containerd's take
// any text.
func plausible(name string) bool { return name != "" && utf8.ValidString(name) }

var (
	errForeignName = errors.New("it is how another program names an image")
	errDigestAlone = errors.New("it is a digest without a name")
	errNotWhole    = errors.New("it is not a whole name, with registry and tag")
)

// unpullable are prefixes that normalising would take for an image of docker.io, with
// what they stand for. Other programs have further ones ("docker", "registry",
// "file"), but those are the names of images, too.
var unpullable = map[string]error{
	"sha256": errDigestAlone, "sha384": errDigestAlone, "sha512": errDigestAlone,
	"containers-storage": errForeignName, "dir": errForeignName, "docker-daemon": errForeignName, "oci-dir": errForeignName,
	"ostree": errForeignName, "sif": errForeignName, "tarball": errForeignName,
}

// normalised gives the whole name by which an image is pulled.
func normalised(text string) (string, error) {
	prefix, _, found := strings.Cut(text, ":")
	if err := unpullable[prefix]; found && err != nil {
		return "", err
	}
	named, err := reference.ParseDockerRef(text)
	if err != nil {
		return "", err
	}
	return named.String(), nil
}

// CheckName is a NameError where an image has a name by which it cannot be pulled.
func (s Source) CheckName() error {
	if s.Kind != ImageName {
		return nil
	}
	whole, err := normalised(s.Name)
	if err == nil && whole != s.Name {
		err = errNotWhole
	}
	if err != nil {
		return &NameError{Name: s.Name, Err: err}
	}
	return nil
}

// NameError says why an image cannot be pulled by its name.
type NameError struct {
	Name string
	// Store is where it was looked for and not found, empty where it was not
	// looked for.
	Store string
	Err   error
}

func (e *NameError) Error() string {
	if e.Store != "" {
		return fmt.Sprintf("finding image %q in %s: not found, and it cannot be pulled: %v", e.Name, e.Store, e.Err)
	}
	return fmt.Sprintf("pulling %q: %v", e.Name, e.Err)
}

// Unwrap gives the cause, and ErrNotFound beside it where it was looked for.
func (e *NameError) Unwrap() []error {
	if e.Store != "" {
		return []error{e.Err, ErrNotFound}
	}
	return []error{e.Err}
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
	if !s.InArchive() && !utf8.ValidString(s.Name) {
		return Source{}, fmt.Errorf("parsing source %q: it is not UTF-8", text)
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
