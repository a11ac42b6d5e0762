package document

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestArtifacts tells images from what lies beside them, as the tools that make it
// write it.
func TestArtifacts(t *testing.T) {
	const (
		config, empty   = ispec.MediaTypeImageConfig, ispec.MediaTypeEmptyJSON
		named           = `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["ID"]}}`
		unnamed         = `{"os":"","architecture":"","config":{},"rootfs":{"type":"layers","diff_ids":["ID"]}}`
		signing, inToto = "application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.in-toto+json"
		chart           = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	)
	for _, c := range []struct {
		name, artifactType, configType, config string
		layers                                 []string
		what, mediaType                        string // empty for an image
	}{
		{"an image", "", config, named, []string{layer}, "", ""},
		{"an image of no layers", "", config, `{"os":"linux"}`, nil, "", ""},
		{"a config without a type", "", "", named, []string{layer}, "", ""},
		{"a config of an older docker's", "", "application/octet-stream", named, []string{layer}, "", ""},
		{"an image's own type", config, config, named, []string{layer}, "", ""},
		{"another form of an image", "application/vnd.nydus.image.manifest.v1+json", config, named, []string{layer}, "", ""},
		{"layers that nobody knows", "", config, named, []string{"application/x-squashfs"}, "", ""},
		{"a layer without a type", "", config, named, []string{""}, "", ""},
		{"an attestation beside the layer", "", config, named, []string{layer, inToto}, "", ""},
		{"an encrypted layer", "", config, named, []string{layer + "+encrypted"}, "", ""},

		{"cosign", "", config, unnamed, []string{signing}, "a signature", signing},
		{"cosign, with a platform", "", config, named, []string{signing}, "a signature", signing},
		{"cosign, two", "", config, unnamed, []string{signing, signing}, "a signature", signing},
		{"cosign attest", "", config, unnamed, []string{"application/vnd.dsse.envelope.v1+json"}, "an attestation", "application/vnd.dsse.envelope.v1+json"},
		{"cosign attach sbom", "", config, unnamed, []string{"text/spdx+json"}, "an SBOM", "text/spdx+json"},
		{"a bundle of sigstore's", "application/vnd.dev.sigstore.bundle.v0.3+json", empty, `{}`, []string{"application/vnd.dev.sigstore.bundle.v0.3+json"}, "a signature", "application/vnd.dev.sigstore.bundle.v0.3+json"},
		{"notation", "", "application/vnd.cncf.notary.signature", `{}`, []string{"application/jose+json"}, "a signature", "application/vnd.cncf.notary.signature"},
		{"buildkit", "", config, unnamed, []string{inToto}, "an attestation", inToto},
		{"buildkit, as an artifact", "application/vnd.docker.attestation.manifest.v1+json", empty, `{}`, []string{inToto}, "an attestation", "application/vnd.docker.attestation.manifest.v1+json"},
		{"oras attach", "application/spdx+json", empty, `{}`, []string{"application/spdx+json"}, "an SBOM", "application/spdx+json"},
		{"oras push", "", "application/vnd.unknown.config.v1+json", `{}`, []string{layer}, "an artifact", "application/vnd.unknown.config.v1+json"},
		{"oras push, a config of text", "", "application/x-config", `text`, []string{layer}, "an artifact", "application/x-config"},
		{"an empty config and a tar", "application/x-files", empty, `{}`, []string{layer}, "an artifact", "application/x-files"},
		{"an empty config alone", "", empty, `{}`, []string{empty}, "an artifact", empty},
		{"nothing", "application/x-nothing", empty, `{}`, nil, "an artifact", "application/x-nothing"},
		{"helm", "", "application/vnd.cncf.helm.config.v1+json", `{}`, []string{chart}, "a Helm chart", "application/vnd.cncf.helm.config.v1+json"},
		{"helm, pushed as an image", "", config, `{}`, []string{chart}, "a Helm chart", chart},
		{"wasm", "", "application/vnd.wasm.config.v0+json", named, []string{"application/wasm"}, "a WebAssembly module", "application/vnd.wasm.config.v0+json"},
		{"a disk beside a machine's image", "", config, `{}`, []string{"application/zstd"}, "an artifact", "application/zstd"},
		{"more layers than the config knows", "", config, named, []string{"application/x-a", "application/x-b"}, "an artifact", "application/x-a"},
		{"SOCI", "", "application/vnd.amazon.soci.index.v1+json", `{}`, []string{"application/octet-stream"}, "a SOCI index", "application/vnd.amazon.soci.index.v1+json"},
	} {
		s := store{}
		var layers []string
		for _, mediaType := range c.layers {
			layers = append(layers, text(s.add(mediaType, "")))
		}
		blob := s.add(c.configType, strings.ReplaceAll(c.config, "ID", digest.FromString("").String()))
		desc := s.add(manifest, fmt.Sprintf(`{"artifactType":%q,"config":%s,"layers":[%s]}`, c.artifactType, text(blob), strings.Join(layers, ",")))
		_, _, err := Image(t.Context(), s, desc)
		var artifact *ArtifactError
		if c.what == "" {
			check(t, c.name, err, "")
			continue
		}
		if !errors.As(err, &artifact) || artifact.What != c.what || artifact.MediaType != c.mediaType || !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want that it is %s by %q", c.name, err, c.what, c.mediaType)
			continue
		}
		if byLayer := len(c.layers) > 0 && c.artifactType == "" && c.mediaType == c.layers[0]; (artifact.Layer == 1) != byLayer || artifact.Layers != len(c.layers)*artifact.Layer {
			t.Errorf("%s: %v: layer %d of %d", c.name, err, artifact.Layer, artifact.Layers)
		}
	}
}

// TestLyingConfigOfAnArtifact does not take an image for an artifact because its
// config is not what it is said to be.
func TestLyingConfigOfAnArtifact(t *testing.T) {
	s := store{}
	blob := s.add("application/octet-stream", `{"rootfs":{"type":"other","diff_ids":["x"]}}`)
	larger := blob
	larger.Size++
	for config, said := range map[string]string{text(blob): `its rootfs has the type "other"`, text(larger): "its descriptor says"} {
		_, _, err := Image(t.Context(), s, s.add(manifest, `{"config":`+config+`,"layers":[`+text(s.add(layer, ""))+`]}`))
		check(t, config, err, said)
		var artifact *ArtifactError
		if errors.As(err, &artifact) {
			t.Errorf("%s: %v, want no artifact", config, err)
		}
	}
}

// TestEntry tells by descriptors alone what is no image.
func TestEntry(t *testing.T) {
	at := func(os, architecture string) *ispec.Platform {
		return &ispec.Platform{OS: os, Architecture: architecture}
	}
	for _, c := range []struct {
		desc ispec.Descriptor
		what string
	}{
		{ispec.Descriptor{MediaType: manifest}, ""},
		{ispec.Descriptor{MediaType: index, Platform: at("linux", "amd64")}, ""},
		{ispec.Descriptor{MediaType: list}, ""},
		{ispec.Descriptor{MediaType: schema2, ArtifactType: ispec.MediaTypeImageConfig}, ""},
		{ispec.Descriptor{MediaType: manifest, Platform: at("unknown", "unknown")}, "an attestation"},
		{ispec.Descriptor{MediaType: manifest, Platform: at("linux", "unknown")}, ""},
		{ispec.Descriptor{MediaType: index, Platform: at("unknown", "unknown")}, ""},
		{ispec.Descriptor{MediaType: index, ArtifactType: "application/x"}, ""},
		{ispec.Descriptor{MediaType: manifest, ArtifactType: "application/x", Platform: at("linux", "amd64")}, ""},
		{ispec.Descriptor{MediaType: manifest, ArtifactType: "application/x"}, "an artifact"},
		{ispec.Descriptor{MediaType: manifest, ArtifactType: "application/x", Platform: at("", "")}, "an artifact"},
		{ispec.Descriptor{MediaType: manifest, ArtifactType: "application/vnd.amazon.soci.index.v2+json", Platform: at("linux", "amd64")}, "a SOCI index"},
		{ispec.Descriptor{MediaType: manifest, ArtifactType: "application/spdx+json"}, "an SBOM"},
		{ispec.Descriptor{MediaType: manifest, ArtifactType: "application/x", Platform: at("unknown", "unknown")}, "an artifact"},
		{ispec.Descriptor{MediaType: index, ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json"}, "a signature"},
		{ispec.Descriptor{MediaType: "application/vnd.in-toto+json"}, "an attestation"},
		{ispec.Descriptor{MediaType: layer}, "an artifact"},
		{ispec.Descriptor{}, "an artifact"},
	} {
		got := ""
		if artifact := Entry(c.desc); artifact != nil {
			got = artifact.What
		}
		if got != c.what {
			t.Errorf("%+v is %q, want %q", c.desc, got, c.what)
		}
	}
}

// TestNamedAttachment knows the tags of what refers to an image.
func TestNamedAttachment(t *testing.T) {
	hex := digest.FromString("").Encoded()
	for name, is := range map[string]bool{
		"sha256-" + hex: true, "sha256-" + hex + ".sig": true, "sha256-" + hex + ".att": true, "sha256-" + hex + ".sbom": true,
		"example.com/app:sha256-" + hex: true, "localhost:5000/app:sha256-" + hex + ".sig": true,
		"sha512-" + hex: true, "sha512-" + hex + hex: true,
		"": false, "1.0": false, "sha256-" + hex[1:]: false, "sha256:" + hex: false, hex: false, "sha256-" + hex + ".": false,
		"sha256-" + hex + "/app:1": false, "sha256-" + strings.ToUpper(hex): false, "x-sha256-" + hex: false,
	} {
		desc := ispec.Descriptor{Annotations: map[string]string{ispec.AnnotationRefName: name}}
		if NamedAttachment(desc) != is {
			t.Errorf("%q: %v, want %v", name, !is, is)
		}
	}
}
