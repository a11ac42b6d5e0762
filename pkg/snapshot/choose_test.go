package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/layertype"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// shelf makes the manifests of a test's collection.
type shelf struct{ memoryCollection }

func newShelf() shelf { return shelf{memoryCollection{documents: documents{}}} }

// image describes an image that is told from others by cmd, and whose config says
// that it is for platform.
func (s shelf) image(cmd, platform string) ispec.Descriptor {
	config := ispec.Image{Platform: platforms.MustParse(platform), Config: ispec.ImageConfig{Cmd: []string{cmd}}}
	config.RootFS.DiffIDs = []digest.Digest{digest.FromString(cmd)}
	return s.manifest(ispec.Manifest{
		Config: s.json(ispec.MediaTypeImageConfig, config), Layers: []ispec.Descriptor{s.add(ispec.MediaTypeImageLayer, []byte(cmd))},
	})
}

func (s shelf) manifest(m ispec.Manifest) ispec.Descriptor {
	return s.json(ispec.MediaTypeImageManifest, m)
}

func (s shelf) index(manifests ...ispec.Descriptor) ispec.Descriptor {
	return s.json(ispec.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "manifests": manifests})
}

func (s shelf) json(mediaType string, v any) ispec.Descriptor {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	// A manifest that was not given a version has none.
	return s.add(mediaType, []byte(strings.Replace(string(data), `"schemaVersion":0,`, "", 1)))
}

// lost describes a manifest that nobody has.
func lost() ispec.Descriptor {
	return ispec.Descriptor{MediaType: ispec.MediaTypeImageManifest, Digest: digest.FromString("lost"), Size: 4}
}

// about is an artifact of one blob that may have a subject.
func (s shelf) about(subject *ispec.Descriptor, artifactType, configType, layerType string) ispec.Descriptor {
	desc := s.manifest(ispec.Manifest{
		ArtifactType: artifactType, Subject: subject, Config: s.add(configType, []byte(`{}`)),
		Layers: []ispec.Descriptor{s.add(layerType, []byte(`[]`))},
	})
	return desc
}

// with gives a descriptor a platform, a name, or a type of artifact.
func with(desc ispec.Descriptor, platform, name, artifactType string) ispec.Descriptor {
	if platform != "" {
		os, architecture, _ := strings.Cut(platform, "/")
		desc.Platform = &ispec.Platform{OS: os, Architecture: architecture}
		if os != "unknown" {
			p := platforms.MustParse(platform)
			desc.Platform = &p
		}
	}
	if name != "" {
		desc.Annotations = map[string]string{ispec.AnnotationRefName: name}
	}
	desc.ArtifactType = artifactType
	return desc
}

// TestOneImageBesideOthers finds the one image of an archive beside what is none: by
// itself and by its name.
func TestOneImageBesideOthers(t *testing.T) {
	const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	const simple = "application/vnd.dev.cosign.simplesigning.v1+json"
	s := newShelf()
	image := with(s.image("/image", "linux/amd64"), "", "1", "")
	other := with(s.image("/other", "linux/amd64"), "", "2", "")
	part, arm := s.image("/image", "linux/amd64"), s.image("/arm", "linux/arm64")
	signature := s.about(nil, "", ispec.MediaTypeImageConfig, simple)
	sbom := s.about(&image, "application/spdx+json", ispec.MediaTypeEmptyJSON, "application/spdx+json")
	notation := s.about(&image, "", "application/vnd.cncf.notary.signature", "application/jose+json")
	fallback := "sha256-" + image.Digest.Encoded()
	form := s.manifest(ispec.Manifest{
		ArtifactType: "application/x-form", Subject: &image, Layers: []ispec.Descriptor{s.add(ispec.MediaTypeImageLayer, []byte("form"))},
		Config: s.json(ispec.MediaTypeImageConfig, ispec.Image{Platform: platforms.MustParse("linux/amd64"), RootFS: ispec.RootFS{DiffIDs: []digest.Digest{digest.FromString("form")}}}),
	})
	absent := lost()
	const several = "it holds"
	for _, c := range []struct {
		name      string
		has       []ispec.Descriptor
		ref, want string // want is the image's command, or what the error says
	}{
		{"cosign save", []ispec.Descriptor{image, signature}, "", "/image"},
		{"the signature first", []ispec.Descriptor{signature, sbom, image}, "", "/image"},
		{"one with a platform", []ispec.Descriptor{with(image, "linux/amd64", "1", ""), with(signature, "linux/amd64", "", "")}, "", "/image"},
		{"an SBOM", []ispec.Descriptor{image, with(sbom, "", "", "application/spdx+json")}, "", "/image"},
		{"an SBOM of an older spec", []ispec.Descriptor{image, sbom}, "", "/image"},
		{"notation", []ispec.Descriptor{image, notation}, "", "/image"},
		{"an attestation of BuildKit's", []ispec.Descriptor{with(image, "linux/amd64", "1", ""), with(signature, "unknown/unknown", "", "")}, "", "/image"},
		{"referrers", []ispec.Descriptor{image, with(s.index(with(sbom, "", "", "application/spdx+json"), notation), "", fallback, "")}, "", "/image"},
		{"referrers that are not there", []ispec.Descriptor{image, with(absent, "", fallback, ""), with(s.index(absent), "", fallback, "")}, "", "/image"},
		{"a signature by its tag, not there", []ispec.Descriptor{image, with(absent, "", fallback+".sig", "")}, "", "/image"},
		{"a bundle that is not there", []ispec.Descriptor{image, with(absent, "", "", bundle)}, "", "/image"},
		{"no referrers", []ispec.Descriptor{image, with(s.index(), "", fallback, "")}, "", "/image"},
		{"an index and its signature", []ispec.Descriptor{s.index(with(image, "linux/amd64", "", "")), signature}, "", "/image"},
		{"an index with an artifact for the platform", []ispec.Descriptor{s.index(with(signature, "linux/amd64", "", ""), with(image, "linux/amd64", "", ""))}, "", "/image"},
		{"a nested index of an unknown platform", []ispec.Descriptor{s.index(with(s.index(with(image, "linux/amd64", "", "")), "unknown/unknown", "", ""))}, "", "/image"},
		{"an index of a type", []ispec.Descriptor{with(s.index(with(image, "linux/amd64", "", "")), "", "", "application/x-form")}, "", "/image"},
		{"an image of a type, in an index", []ispec.Descriptor{s.index(with(image, "linux/amd64", "", "application/x-form"))}, "", "/image"},
		{"another form of it, in an index", []ispec.Descriptor{s.index(with(form, "linux/amd64", "", "application/x-form"), with(image, "linux/amd64", "", ""))}, "", "/image"},
		{"another form of it that is not there", []ispec.Descriptor{s.index(with(absent, "linux/amd64", "", "application/x-form"), with(image, "linux/amd64", "", ""))}, "", "/image"},
		{"an artifact for the platform", []ispec.Descriptor{s.index(with(sbom, "linux/amd64", "", "application/x-sbom"), with(image, "linux/amd64", "", ""))}, "", "/image"},
		{"an index and its parts, as oras writes it", []ispec.Descriptor{with(arm, "linux/arm64", "", ""), with(s.index(with(part, "linux/amd64", "", ""), s.index(with(arm, "linux/arm64", "", ""))), "", "1", ""), with(part, "linux/amd64", "", ""), s.index(with(arm, "linux/arm64", "", ""))}, "", "/image"},
		{"another form of it", []ispec.Descriptor{form, image}, "", "/image"},
		{"blobs", []ispec.Descriptor{image, s.add(simple, []byte("blob"))}, "", "/image"},
		{"by name", []ispec.Descriptor{image, other, signature}, "2", "/other"},
		{"by a name of both", []ispec.Descriptor{image, with(signature, "", "1", "")}, "1", "/image"},

		{"another image", []ispec.Descriptor{image, other, signature}, "", several},
		{"an index and a part with a name", []ispec.Descriptor{with(s.index(with(part, "linux/amd64", "", "")), "", "1", ""), with(part, "linux/amd64", "amd64", "")}, "", several},
		{"an index and what it does not list", []ispec.Descriptor{with(s.index(with(part, "linux/amd64", "", "")), "", "1", ""), with(arm, "linux/arm64", "", "")}, "", several},
		{"an image that is not there", []ispec.Descriptor{image, with(absent, "", "2", "")}, "", several},
		{"an index whose images are not there", []ispec.Descriptor{image, with(s.index(absent), "", "2", "")}, "", several},
		{"the signature alone", []ispec.Descriptor{signature}, "", "it is a signature, not an image"},
		{"the signature by digest", []ispec.Descriptor{image, signature}, signature.Digest.String(), "it is a signature, not an image"},
		{"the SBOM by name", []ispec.Descriptor{image, with(sbom, "", "sbom", "application/spdx+json")}, "sbom", `it is an SBOM, not an image: its type is "application/spdx+json"`},
		{"an attestation by digest", []ispec.Descriptor{image, with(signature, "unknown/unknown", "", "")}, signature.Digest.String(), "it is a signature, not an image"},
		{"referrers by name", []ispec.Descriptor{image, with(s.index(with(sbom, "", "", "application/spdx+json")), "", fallback, "")}, fallback, "it is an SBOM, not an image"},
		{"the other form by digest", []ispec.Descriptor{image, form}, form.Digest.String(), ""},
		{"no such name", []ispec.Descriptor{image, with(signature, "", "sig", "")}, "none", "it holds 1"},
	} {
		got, err := s.chosen(t.Context(), c.has, c.ref, "linux/amd64")
		switch {
		case err == nil && got.cmd() != c.want:
			t.Errorf("%s: got %q, want %q", c.name, got.cmd(), c.want)
		case err != nil && (c.want == "" || c.want[0] == '/' || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrNotFound)):
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// chosen looks for an image in a collection whose index lists some manifests.
func (s shelf) chosen(ctx context.Context, has []ispec.Descriptor, ref, text string) (*Image, error) {
	want, err := platform(text)
	if err != nil {
		return nil, err
	}
	root, err := json.Marshal(map[string]any{"manifests": has})
	if err != nil {
		return nil, err
	}
	s.root = root
	return chosen(ctx, s, Source{Kind: OCILayout, Name: "l", Ref: ref}, want, layertype.Merging)
}

// cmd is by what the images of a shelf are told apart.
func (i *Image) cmd() string { return strings.Join(i.Config.Config.Cmd, " ") }

// TestLiesBesideAnImage does not pass over what is not what its descriptor says,
// though there is an image beside it.
func TestLiesBesideAnImage(t *testing.T) {
	s := newShelf()
	image := s.image("image", "linux/amd64")
	larger := s.image("larger", "linux/amd64")
	larger.Size++
	both := s.add(ispec.MediaTypeImageManifest, []byte(fmt.Sprintf(`{"config":%s,"layers":[],"manifests":[%s]}`, described(image), described(image))))
	for name, lie := range map[string]ispec.Descriptor{"larger": larger, "both": both} {
		if _, err := s.chosen(t.Context(), []ispec.Descriptor{image, lie}, "", "linux/amd64"); err == nil {
			t.Errorf("%s, in index.json: it is passed over", name)
		}
		index := s.index(with(lie, "linux/amd64", "", ""), with(image, "linux/amd64", "", ""))
		if got, err := s.chosen(t.Context(), []ispec.Descriptor{index}, "", "linux/amd64"); err == nil {
			t.Errorf("%s, in an index: it is passed over for %q", name, got.cmd())
		}
	}
}

// TestReportedPlatform reports what was chosen, and not what its config says.
func TestReportedPlatform(t *testing.T) {
	s := newShelf()
	index := s.index(
		with(s.image("v6", "linux/arm"), "linux/arm/v6", "", ""), with(s.image("v7", "linux/arm"), "linux/arm/v7", "", ""),
		with(s.image("mistaken", "linux/amd64"), "linux/s390x", "", ""), s.image("by config", "linux/riscv64"),
		with(s.image("erofs", "linux(+other)/amd64"), "linux(+other)/amd64", "", ""),
		with(s.image("windows", "windows(10.0.17763.1)/amd64"), "windows/amd64", "", ""),
	)
	for asked, want := range map[string]string{
		"linux/arm/v6": "v6 linux/arm/v6", "linux/arm/v7": "v7 linux/arm/v7", "linux/arm": "v7 linux/arm/v7",
		"linux/s390x": "mistaken linux/s390x", "linux/riscv64": "by config linux/riscv64",
		"linux(+other)/amd64": "erofs linux(+other)/amd64", "windows/amd64": "windows windows(10.0.17763.1)/amd64",
	} {
		got, err := s.chosen(t.Context(), []ispec.Descriptor{index}, "", asked)
		if err != nil {
			t.Errorf("%s: %v", asked, err)
			continue
		}
		if told := got.cmd() + " " + got.PlatformText(); told != want {
			t.Errorf("%s: %s, want %s", asked, told, want)
		}
	}
	_, err := s.chosen(t.Context(), []ispec.Descriptor{index}, "", "linux/amd64")
	var none *PlatformError
	if have := []string{"linux/arm/v6", "linux/arm/v7", "linux/s390x", "linux/riscv64", "linux(+other)/amd64", "windows/amd64"}; !errors.As(err, &none) || !slices.Equal(none.Have, have) || none.Want != "linux/amd64" {
		t.Errorf("linux/amd64: error %v", err)
	}
}

// TestWhatIsThere takes what the store was given of an image for one platform: a pull
// for a snapshotter that has a feature may have left out what needs none, but never
// what is for another machine.
func TestWhatIsThere(t *testing.T) {
	s := newShelf()
	needing := with(s.image("needing", "linux(+other)/amd64"), "linux(+other)/amd64", "", "")
	plain := with(s.image("plain", "linux/amd64"), "linux/amd64", "", "")
	older := with(s.image("older", "linux/386"), "linux/386", "", "")
	absent := with(lost(), "linux/amd64", "", "")
	want := document.Host(platforms.MustParse("linux/amd64")) // which runs what is for 386, too
	for name, c := range map[string]struct {
		has  []ispec.Descriptor
		want string
	}{
		"both":                      {[]ispec.Descriptor{needing, plain}, "plain"},
		"what needs a feature":      {[]ispec.Descriptor{absent, needing}, "needing"},
		"what another machine runs": {[]ispec.Descriptor{absent, older}, ""},
		"both of these":             {[]ispec.Descriptor{older, absent, needing}, "needing"},
	} {
		got, err := choose(t.Context(), s, "x", []ispec.Descriptor{s.index(c.has...)}, want.Reading([]string{"other"}))
		if c.want == "" && (err == nil || !strings.Contains(err.Error(), "not found")) || c.want != "" && (err != nil || got.cmd() != c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestAlong leads a pull to what was chosen, whatever containerd would take.
func TestAlong(t *testing.T) {
	s := newShelf()
	signature := with(s.about(nil, "", ispec.MediaTypeImageConfig, "application/vnd.dev.cosign.simplesigning.v1+json"), "linux/amd64", "", "")
	image, other := with(s.image("image", "linux/amd64"), "linux/amd64", "", ""), with(s.image("other", "linux/arm64"), "linux/arm64", "", "")
	target := s.index(other, s.index(signature, image))
	want, err := platform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(t.Context(), s, "x", []ispec.Descriptor{target}, want)
	if err != nil {
		t.Fatal(err)
	}
	var went []digest.Digest
	children := images.LimitManifests(images.ChildrenHandler(s), sameFirst(chosen.PlatformText()), 1)
	visit := images.HandlerFunc(func(ctx context.Context, desc ispec.Descriptor) ([]ispec.Descriptor, error) {
		went = append(went, desc.Digest)
		return children(ctx, desc)
	})
	if err := images.Walk(t.Context(), along(chosen.path, visit), target); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(went, image.Digest) || slices.Contains(went, signature.Digest) || slices.Contains(went, other.Digest) || len(went) != 5 {
		t.Errorf("it went to %q, want %s alone", went, image.Digest)
	}
}
