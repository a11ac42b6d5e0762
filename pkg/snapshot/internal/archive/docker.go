package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/internal/inflate"
)

// maxDockerImages bounds what an archive has: the largest that were seen have some
// hundreds.
const maxDockerImages = 10_000

// dockerImage is an entry of docker's manifest.json, which `docker save` has
// written since version 1.10.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// dockerImages reads docker's manifest.json.
func (a *Tar) dockerImages() (saved []dockerImage, err error) {
	const name = string(DockerManifest)
	if err := a.document(name, &saved); err != nil {
		return nil, err
	}
	if len(saved) > maxDockerImages {
		return nil, fmt.Errorf("reading %q: it lists %d images, more than %d", name, len(saved), maxDockerImages)
	}
	return saved, nil
}

// dockerIndex makes of docker's manifest.json what an OCI archive has. An image
// that cannot be read is in the way of those only who want that one.
func (a *Tar) dockerIndex(ctx context.Context) (index ispec.Index, err error) {
	saved, err := a.dockerImages()
	if err != nil {
		return index, err
	}
	for i, s := range saved {
		if ctx.Err() != nil {
			return index, context.Cause(ctx)
		}
		desc, err := a.dockerImage(ctx, s)
		if err != nil && (len(saved) == 1 || ctx.Err() != nil) {
			return index, err
		}
		if err != nil {
			desc.MediaType, desc.Digest = images.MediaTypeDockerSchema2Manifest, placeholder(i)
			a.broken[desc.Digest] = err
		}
		index.Manifests = append(index.Manifests, named(desc, s.RepoTags)...)
	}
	return index, nil
}

// placeholder is a digest for what cannot be read.
func placeholder(i int) digest.Digest {
	return digest.FromString(fmt.Sprintf("image %d of %s", i, DockerManifest))
}

// named gives the manifest once for each of its names.
func named(desc ispec.Descriptor, tags []string) []ispec.Descriptor {
	if len(tags) == 0 {
		return []ispec.Descriptor{desc}
	}
	var all []ispec.Descriptor
	for _, tag := range tags {
		m := desc
		m.Annotations = map[string]string{images.AnnotationImageName: tag}
		if full, err := reference.ParseDockerRef(tag); err == nil {
			m.Annotations[images.AnnotationImageName] = full.String()
			if tagged, ok := full.(reference.Tagged); ok {
				m.Annotations[ispec.AnnotationRefName] = tagged.Tag()
			}
		}
		all = append(all, m)
	}
	return all
}

// dockerConfig is what a manifest needs to know of a config.
type dockerConfig struct {
	blob     ispec.Descriptor
	diffIDs  []digest.Digest
	platform ispec.Platform
}

// dockerConfig reads a config, once however often it is named: who made the archive
// may be hostile.
func (a *Tar) dockerConfig(name string) (*dockerConfig, error) {
	file, err := a.part(name)
	if err != nil {
		return nil, err
	}
	if known, ok := a.configs[file]; ok {
		return known, nil
	}
	text, err := readDocument(name, file, file.Size())
	if err != nil {
		return nil, err
	}
	// What the image is to do is read by who needs it.
	var parsed struct {
		ispec.Platform
		RootFS ispec.RootFS `json:"rootfs"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("parsing %q: %w", name, err)
	}
	blob := a.made.add(images.MediaTypeDockerSchema2Config, text)
	config := &dockerConfig{blob, parsed.RootFS.DiffIDs, platforms.Normalize(parsed.Platform)}
	a.configs[file] = config
	return config, nil
}

// dockerImage makes the manifest that docker does not save. Beside an error, the
// platform is there where it is known.
func (a *Tar) dockerImage(ctx context.Context, s dockerImage) (desc ispec.Descriptor, err error) {
	config, err := a.dockerConfig(s.Config)
	if err != nil {
		return desc, err
	}
	p := config.platform
	desc.Platform = &p
	if names, ids := len(s.Layers), len(config.diffIDs); names != ids {
		return desc, fmt.Errorf("reading %q: it lists %d layers, %q has %d diff IDs", DockerManifest, names, s.Config, ids)
	}
	manifest := ispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: images.MediaTypeDockerSchema2Manifest,
		Config:    config.blob,
	}
	for i, name := range s.Layers {
		layer, err := a.dockerLayer(ctx, clean(name), config.diffIDs[i])
		if err != nil {
			return desc, err
		}
		manifest.Layers = append(manifest.Layers, layer)
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return desc, fmt.Errorf("making a manifest: %w", err)
	}
	desc = a.made.add(manifest.MediaType, text)
	desc.Platform = &p
	return desc, nil
}

// dockerLayer describes a layer. Docker saves plain tars, whose digest is the
// diff ID; the digest of a compressed one has to be taken.
func (a *Tar) dockerLayer(ctx context.Context, name string, diffID digest.Digest) (ispec.Descriptor, error) {
	part := a.parts[name]
	if part == nil {
		return ispec.Descriptor{}, fmt.Errorf("layer %q: %w", name, errdefs.ErrNotFound)
	}
	if err := diffID.Validate(); err != nil {
		return ispec.Descriptor{}, fmt.Errorf("layer %q: diff ID %q: %w", name, diffID, err)
	}
	blob, err := a.dockerBlob(ctx, part)
	if err != nil {
		return ispec.Descriptor{}, fmt.Errorf("reading layer %q: %w", name, hostfile.WithoutPath(err))
	}
	desc := ispec.Descriptor{MediaType: blob.mediaType, Digest: cmp.Or(blob.digest, diffID), Size: part.Size()}
	a.aliases[desc.Digest] = name
	return desc, nil
}

// dockerBlob is what a layer's bytes say of it; a plain one has no digest.
type dockerBlob struct {
	mediaType string
	digest    digest.Digest
}

// dockerBlob looks at a layer, once however often it is named: who made the
// archive may be hostile.
func (a *Tar) dockerBlob(ctx context.Context, part *io.SectionReader) (dockerBlob, error) {
	if known, ok := a.layers[part]; ok {
		return known, nil
	}
	wrapping, err := inflate.WrappingOf(part)
	if err != nil {
		return dockerBlob{}, err
	}
	blob := dockerBlob{mediaType: images.MediaTypeDockerSchema2Layer}
	if wrapping != inflate.Plain {
		blob.mediaType += "." + string(wrapping)
		stream := cancellable(ctx, io.NewSectionReader(part, 0, part.Size()))
		defer stream.Close()
		if blob.digest, err = digest.FromReader(stream); err != nil {
			return dockerBlob{}, err
		}
	}
	a.layers[part] = blob
	return blob, nil
}
