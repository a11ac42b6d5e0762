package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/cmd/ctr-rootfs/internal/files"
	"github.com/ctr-rootfs/ctr-rootfs/internal/hostfile"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// readReplacements reads --replace. Two that come to the same path, and one that
// --keep names, cannot both be meant.
func (f *treeFlags) readReplacements(ctx context.Context) error {
	from := make(map[string]string)
	for _, keep := range f.keeps {
		if err := checkInside("--keep", keep, keep); err != nil {
			return err
		}
		from[rooted(keep)] = "--keep " + keep
	}
	for _, text := range f.replaces {
		made, err := readReplacement(ctx, text)
		if err != nil {
			return err
		}
		if other, twice := from[made.Path]; twice {
			return usagef("reading --replace %q: there is %s, too", text, other)
		}
		from[made.Path] = "--replace " + text
		f.replacementFiles = append(f.replacementFiles, made)
	}
	return nil
}

// readReplacement reads one --replace.
func readReplacement(ctx context.Context, text string) (export.Made, error) {
	place, name, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return export.Made{}, usagef("reading --replace %q: it is PATH=FILE", text)
	}
	if err := checkInside("--replace", text, place); err != nil {
		return export.Made{}, err
	}
	made := export.Made{Path: rooted(place), For: forReplace, Type: export.Regular, Mode: 0o644}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return export.Made{}, fmt.Errorf("reading --replace %q: %q: %w", text, name, hostfile.WithoutPath(err))
	case info.IsDir():
		return export.Made{}, fmt.Errorf("reading --replace %q: %q is a directory", text, name)
	case info.Mode().IsRegular():
		// It is opened each time that it is read, so that its size bounds no memory.
		made.Size, made.Open = info.Size(), func(context.Context) (io.ReadCloser, error) { return os.Open(name) }
		return made, nil
	}
	// A shell's <(...) gives its bytes only once.
	data, err := files.Document(ctx, name)
	if err != nil {
		return export.Made{}, fmt.Errorf("reading --replace %q: %w", text, err)
	}
	made.Size = int64(len(data))
	made.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return made, nil
}

// checkInside refuses a place that is not below the root: text is what flag was
// given.
func checkInside(flag, text, place string) error {
	switch {
	case slices.Contains(strings.Split(place, "/"), ".."):
		return usagef("reading %s %q: %q leads upwards", flag, text, place)
	case rooted(place) == "":
		return usagef("reading %s %q: %q is no path below the root", flag, text, place)
	}
	return nil
}

// rooted gives a path inside the root, clean and without a leading slash; empty
// for the root itself.
func rooted(name string) string { return path.Clean("/" + name)[1:] }

// effectiveProfile is what --profile says without what --keep names.
func (f *treeFlags) effectiveProfile(latest time.Time) export.Profile {
	profile := f.wholeProfile(latest).Without(f.keeps)
	for i := range profile.Files {
		profile.Files[i].For = forProfile
	}
	return profile
}

func (f *treeFlags) wholeProfile(latest time.Time) export.Profile {
	if f.profile == "none" {
		return export.Profile{}
	}
	return export.Moby(latest)
}

// unkept lists the values of --keep that change nothing: they may be misspelled.
func (f *treeFlags) unkept(latest time.Time) (paths []string) {
	whole := f.wholeProfile(latest)
	for _, keep := range f.keeps {
		without := whole.Without([]string{keep})
		if len(without.Omit) == len(whole.Omit) && len(without.Files) == len(whole.Files) {
			paths = append(paths, keep)
		}
	}
	return paths
}
