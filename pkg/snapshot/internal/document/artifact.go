package document

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
)

// ArtifactError says that a manifest or an index is an artifact's, and no image's
// (image-spec, manifest.md, "Guidelines for Artifact Usage").
type ArtifactError struct {
	// Document names it as "manifest sha256:..." or "index sha256:...".
	Document string
	// What is "a signature", for example, and MediaType what says so.
	What, MediaType string
	// Digest is that layer's, Layer its number, from 1, and Layers how many there are;
	// all are zero where the media type is not a layer's.
	Digest        digest.Digest
	Layer, Layers int
}

func (e *ArtifactError) Error() string {
	of := "its type is"
	if e.Layer > 0 {
		of = fmt.Sprintf("layer %d of %d (%s) has the media type", e.Layer, e.Layers, e.Digest)
	}
	return fmt.Sprintf("reading %s: it is %s, not an image: %s %q", e.Document, e.What, of, e.MediaType)
}

// Unwrap gives ErrNotFound: there is no image.
func (e *ArtifactError) Unwrap() error { return ErrNotFound }

// ErrNotFound is snapshot.ErrNotFound.
var ErrNotFound = errors.New("not found")

// known are what media types of artifacts begin with, and what such an artifact is.
// None of them is ever the type of an image's layer.
var known = []struct{ prefix, what string }{
	{"application/vnd.dev.cosign.artifact.sig.", "a signature"},
	{"application/vnd.dev.cosign.artifact.sbom.", "an SBOM"},
	{"application/vnd.dev.cosign.simplesigning.", "a signature"},
	{"application/vnd.dev.cosign.attestation.", "an attestation"},
	{"application/vnd.dev.cosign.", "a signature"},
	{"application/vnd.dev.sigstore.bundle", "a signature"},
	{"application/vnd.cncf.notary.", "a signature"},
	{"application/pgp-signature", "a signature"},
	{"application/jose+json", "a signature"},
	{"application/vnd.docker.attestation.", "an attestation"},
	{"application/vnd.in-toto", "an attestation"},
	{"application/vnd.dsse.envelope.", "an attestation"},
	{"application/spdx+", "an SBOM"},
	{"text/spdx", "an SBOM"},
	{"application/vnd.cyclonedx", "an SBOM"},
	{"application/vnd.syft+", "an SBOM"},
	{"application/sarif+json", "a report"},
	{"application/vnd.cncf.helm.", "a Helm chart"},
	{"application/vnd.wasm.", "a WebAssembly module"},
	{"application/wasm", "a WebAssembly module"},
	{"application/vnd.ollama.", "a model"},
	{"application/vnd.cncf.model.", "a model"},
	{"application/vnd.docker.ai.", "a model"},
	{"application/vnd.amazon.soci.", "a SOCI index"},
}

// whatIs says what an artifact is whose type is mediaType; empty for one of which
// nothing is known.
func whatIs(mediaType string) string {
	for _, k := range known {
		if strings.HasPrefix(mediaType, k.prefix) {
			return k.what
		}
	}
	return ""
}

// Entry says of an index's entry, by its descriptor alone, what it is where it is no
// image, else nil. An entry for a platform may be an image though its type is not
// known, and an index may hold one.
func Entry(desc ispec.Descriptor) *ArtifactError {
	e := &ArtifactError{Document: "manifest " + desc.Digest.String(), What: "an artifact", MediaType: desc.ArtifactType}
	switch {
	case !images.IsIndexType(desc.MediaType) && !images.IsManifestType(desc.MediaType):
		e.Document, e.MediaType = "blob "+desc.Digest.String(), desc.MediaType
	case whatIs(desc.ArtifactType) != "":
	case images.IsIndexType(desc.MediaType):
		return nil
	case desc.Platform != nil && desc.Platform.OS == "unknown":
		// So BuildKit lists attestations.
		if !OtherForm(desc) {
			e.What, e.MediaType = "an attestation", desc.MediaType
		}
	case !OtherForm(desc), desc.Platform != nil && desc.Platform.OS != "":
		return nil
	}
	e.What = cmp.Or(whatIs(e.MediaType), e.What)
	return e
}

// OtherForm says whether an entry is said to be an artifact, which may be another form
// of the image beside it.
func OtherForm(desc ispec.Descriptor) bool { return artifactType(desc.ArtifactType) }

// artifactType says whether a type is an artifact's: an index may name an image's
// config there (image-spec, descriptor.md, "artifactType").
func artifactType(mediaType string) bool { return mediaType != "" && !images.IsConfigType(mediaType) }

// imageConfig says whether a config is said to be an image's. Some builders say
// nothing.
func imageConfig(mediaType string) bool { return mediaType == "" || images.IsConfigType(mediaType) }

// IsLayer says whether a descriptor is said to be a layer's, for containerd or here.
func IsLayer(d ispec.Descriptor) bool {
	return images.IsLayerType(d.MediaType) || layertype.FormatOf(d.MediaType) != ""
}

// artifactOf says what the manifest described by desc is where it is not an image's,
// else nil. It goes by the manifest alone, which is not always enough: see unlike and
// namesLayers.
func artifactOf(desc ispec.Descriptor, m ispec.Manifest) *ArtifactError {
	e := describe(desc, m)
	switch {
	case m.Config.MediaType == ispec.MediaTypeEmptyJSON:
		return e
	case slices.ContainsFunc(m.Layers, IsLayer):
		return nil
	case artifactType(m.ArtifactType), !imageConfig(m.Config.MediaType):
		return e
	case slices.ContainsFunc(m.Layers, func(l ispec.Descriptor) bool { return whatIs(l.MediaType) != "" }):
		return e
	}
	return nil
}

// unlike says whether a manifest whose layers have no image's media type is an
// artifact's, because its config names other layers, or no operating system.
func unlike(m ispec.Manifest, config ispec.Image) bool {
	if len(m.Layers) == 0 || slices.ContainsFunc(m.Layers, IsLayer) {
		return false
	}
	return config.OS == "" || len(config.RootFS.DiffIDs) != len(m.Layers)
}

// describe finds what an artifact is called, and which of its types says so.
func describe(desc ispec.Descriptor, m ispec.Manifest) *ArtifactError {
	e := &ArtifactError{Document: "manifest " + desc.Digest.String(), What: "an artifact", MediaType: m.ArtifactType}
	if config := m.Config.MediaType; !artifactType(e.MediaType) && !imageConfig(config) && config != ispec.MediaTypeEmptyJSON {
		e.MediaType = config
	}
	if what := whatIs(e.MediaType); what != "" {
		e.What = what
		return e
	}
	for i, layer := range m.Layers {
		what := whatIs(layer.MediaType)
		if what == "" && (artifactType(e.MediaType) || IsLayer(layer)) {
			continue
		}
		e.What, e.MediaType = cmp.Or(what, e.What), layer.MediaType
		e.Layer, e.Layers, e.Digest = i+1, len(m.Layers), layer.Digest
		return e
	}
	e.MediaType = cmp.Or(e.MediaType, m.Config.MediaType)
	return e
}

// Attachment says whether a manifest is attached to another one, or is another form
// of it (image-spec, manifest.md, "subject"): beside others it is not the one that is
// meant, though it may be an image.
func Attachment(m ispec.Manifest) bool { return m.Subject != nil || artifactType(m.ArtifactType) }

// attached is what tags look like under which clients keep what refers to an image
// where a registry lists no referrers (distribution-spec, "Referrers Tag Schema"), and
// those that cosign gives.
var attached = regexp.MustCompile(`^sha(256-[0-9a-f]{64}|512-[0-9a-f]{64,128})(\.[a-z0-9]+)?$`)

// NamedAttachment says whether an entry of a layout has the name of something that
// refers to an image.
func NamedAttachment(desc ispec.Descriptor) bool {
	name := desc.Annotations[ispec.AnnotationRefName]
	return attached.MatchString(name[strings.LastIndexAny(name, ":/")+1:])
}
