package document

import (
	"fmt"

	"github.com/containerd/platforms"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Wanted is the platform to look for. It is a platforms.MatchComparer.
type Wanted struct {
	// Text is the platform as the user wrote it, else this host's.
	Text string

	spec ispec.Platform
	only func(ispec.Platform) platforms.MatchComparer
	// plain matches the platform as it is, readable what has features beside that
	// can be read.
	plain, readable platforms.MatchComparer
}

// Platform reads a platform as "os[(version+features)]/arch[/variant]"; an empty one
// is this host's. One that is asked for is matched strictly: a user who says arm64
// does not want arm/v7.
func Platform(text string) (Wanted, error) {
	if text == "" {
		spec := platforms.DefaultSpec()
		// An image of files needs no kernel of its own kind, but Linux's are
		// the ones with a Linux root filesystem.
		spec.OS = "linux"
		return Host(spec), nil
	}
	spec, err := platforms.Parse(text)
	if err != nil {
		return Wanted{}, fmt.Errorf("parsing platform %q: %w", text, err)
	}
	return wanted(spec, platforms.OnlyStrict), nil
}

// Host wants what a machine of a platform can run: its own images first, then those for
// older ones of its kind.
func Host(spec ispec.Platform) Wanted { return wanted(spec, platforms.Only) }

func wanted(spec ispec.Platform, only func(ispec.Platform) platforms.MatchComparer) Wanted {
	return Wanted{Text: platforms.FormatAll(spec), spec: spec, only: only, plain: only(spec), readable: only(spec)}
}

// Reading also takes what needs features of the operating system (image-spec,
// image-index.md, "os.features") that whoever reads the layers has. It comes behind
// what needs none of them.
func (w Wanted) Reading(features []string) Wanted {
	spec := w.spec
	spec.OSFeatures = append(append([]string{}, spec.OSFeatures...), features...)
	w.readable = w.only(spec)
	return w
}

// Match says whether a manifest for p is one that is wanted.
func (w Wanted) Match(p ispec.Platform) bool { return w.plain.Match(p) || w.readable.Match(p) }

// Less says whether a is wanted more than b.
func (w Wanted) Less(a, b ispec.Platform) bool {
	if plain := w.plain.Match(a); plain != w.plain.Match(b) {
		return plain
	}
	if w.plain.Match(a) {
		return w.plain.Less(a, b)
	}
	return w.readable.Less(a, b)
}

// Format writes a platform as "os[(version+features)]/arch[/variant]", in the form
// that Platform reads; a platform without an operating system is "unknown".
func Format(p ispec.Platform) string { return platforms.FormatAll(platforms.Normalize(p)) }

// Unnamed says whether p names no architecture. image-spec requires one, but
// what assembles images of files may write none, and containerd and docker take
// such an image where there is no other to choose.
func Unnamed(p ispec.Platform) bool {
	return p.Architecture == "" && (p.OS == "" || p.OS == "linux")
}

// PlatformOf is the platform of an image: what the index says of its manifest, by
// which it was chosen, and its config where the index says nothing. The version and
// the features of the operating system are often in the config alone.
func PlatformOf(indexed *ispec.Platform, config ispec.Platform) ispec.Platform {
	config = platforms.Normalize(config)
	if indexed == nil || indexed.OS == "" || indexed.Architecture == "" {
		return config
	}
	p := platforms.Normalize(*indexed)
	if p.OS == config.OS && p.Architecture == config.Architecture {
		if p.OSVersion == "" {
			p.OSVersion = config.OSVersion
		}
		if len(p.OSFeatures) == 0 {
			p.OSFeatures = config.OSFeatures
		}
	}
	return p
}
