package archive

import (
	"slices"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot/internal/document"
)

// Referenced gives the manifests of an archive's index that the reference
// names: all of them where it is empty and the archive holds one image only. An
// image of many platforms may stand there as many manifests of one name. Where
// no manifest is named, or several images are, it gives none, and by what they
// may be asked for: names, or digests of those that have no name of their own.
func Referenced(index ispec.Index, ref string) (found []ispec.Descriptor, names []string) {
	if ref == "" {
		found = index.Manifests
	}
	byName := make(map[string][]ispec.Descriptor)
	for _, m := range index.Manifests {
		for _, name := range append(annotated(m), m.Digest.String()) {
			byName[name] = append(byName[name], m)
		}
	}
	for _, spelling := range spellings(ref) {
		if found == nil {
			found = byName[spelling]
		}
	}
	if !several(found) {
		return found, namesOf(index.Manifests, nil)
	}
	shared := make(map[string]bool)
	for name, fit := range byName {
		shared[name] = several(fit)
	}
	return nil, namesOf(found, shared)
}

// spellings gives a reference as it was typed, and as docker would write it.
func spellings(ref string) []string {
	all := []string{ref}
	if named, err := reference.ParseDockerRef(ref); err == nil && named.String() != ref {
		all = append(all, named.String())
	}
	return all
}

// namesOf gives the names by which manifests of an archive may be asked for, but
// for those that several images share; a manifest without one goes by its digest.
func namesOf(manifests []ispec.Descriptor, shared map[string]bool) (all []string) {
	seen := make(map[string]bool)
	for _, m := range manifests {
		names := slices.DeleteFunc(annotated(m), func(name string) bool { return shared[name] })
		if len(names) == 0 {
			names = []string{m.Digest.String()}
		}
		for _, name := range names {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}

// Named says whether a manifest has a name of its own.
func Named(m ispec.Descriptor) bool { return len(annotated(m)) > 0 }

// annotated gives the whole name, which containerd and docker write, and the
// reference, which may be the tag alone (image-spec, annotations.md).
func annotated(m ispec.Descriptor) []string {
	var names []string
	for _, key := range []string{images.AnnotationImageName, ispec.AnnotationRefName} {
		name := m.Annotations[key]
		if name != "" && (len(names) == 0 || names[0] != name) {
			names = append(names, name)
		}
	}
	return names
}

// several says whether manifests are of more than one image. One image under
// two names is one; manifests for different platforms under one name, or
// under none, are one.
func several(manifests []ispec.Descriptor) bool {
	byPlatform := make(map[string]digest.Digest)
	for _, m := range manifests {
		first := manifests[0]
		if m.Digest == first.Digest {
			continue
		}
		if m.Platform == nil || first.Platform == nil || !slices.Equal(annotated(m), annotated(first)) {
			return true
		}
		byPlatform[document.Format(*first.Platform)] = first.Digest
		key := document.Format(*m.Platform)
		if other, found := byPlatform[key]; found && other != m.Digest {
			return true
		}
		byPlatform[key] = m.Digest
	}
	return false
}

// Beyond gives the names of what other lists and index does not, where other is of
// more images. Of index, only those in only are images.
func Beyond(index, only, other ispec.Index) (names []string) {
	have, more := grouped(only), grouped(other)
	if len(more) <= len(have) {
		return nil
	}
	listed := make(map[string]bool)
	for _, m := range index.Manifests {
		for _, name := range annotated(m) {
			listed[name] = true
		}
	}
	for _, image := range more {
		if known := slices.ContainsFunc(image, func(name string) bool { return listed[name] }); !known {
			names = append(names, image...)
		}
	}
	return names
}

// grouped gives the images that an index lists, each by its names: manifests that
// share their whole name, or their digest, are of one.
func grouped(index ispec.Index) [][]string {
	var all [][]string
	place := make(map[string]int)
	for _, m := range index.Manifests {
		name := namesOf([]ispec.Descriptor{m}, nil)[0]
		at, found := place[name]
		if !found {
			at, found = place[m.Digest.String()]
		}
		if !found {
			at = len(all)
			all = append(all, nil)
		}
		place[name], place[m.Digest.String()] = at, at
		if !slices.Contains(all[at], name) {
			all[at] = append(all[at], name)
		}
	}
	return all
}
