package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

// treeFlags say what of the image's tree is shown. export, bundle and ls have all
// of them, spec those of newLookupFlags.
type treeFlags struct {
	profile          string
	excludeFlags     excludeFlags
	excludes         []string
	includes         []string
	replaces, keeps  []string
	xattrs           string
	reproducible     bool
	sourceDateEpoch  string
	replacementFiles []export.Made
	xattrPolicy      export.XattrPolicy
	epoch            *time.Time
	live             *liveFlags
}

// newLookupFlags are those that say what the tree's files hold: spec looks users
// up in it, and shows nothing of it.
func newLookupFlags(flags *pflag.FlagSet) *treeFlags {
	f := &treeFlags{profile: "none", xattrs: "default", live: newPauseFlag(flags)}
	flags.StringArrayVar(&f.replaces, "replace", nil, "with `PATH=FILE`, PATH is a file with FILE's content, mode 0644 and owner 0:0, whatever the image has there, also a directory")
	return f
}

func newTreeFlags(flags *pflag.FlagSet) *treeFlags {
	f := newLookupFlags(flags)
	f.live.addAllowChanges(flags)
	f.sourceDateEpoch = os.Getenv("SOURCE_DATE_EPOCH")
	flags.StringVar(&f.profile, "profile", "moby", "moby: leave out docker's own files and give /etc/hosts, resolv.conf and hostname; none: the image as it is")
	f.excludeFlags.add(flags)
	flags.StringArrayVar(&f.includes, "include", nil, "keep only what matches `PATTERN`")
	flags.StringArrayVar(&f.keeps, "keep", nil, "keep the image's own `PATH`, against the profile")
	flags.StringVar(&f.xattrs, "xattrs", "default", "extended attributes: default (not the host's and overlayfs's own), all or none")
	flags.BoolVar(&f.reproducible, "reproducible", false, "the same bytes from every store and machine [$SOURCE_DATE_EPOCH]")
	return f
}

// check reads what the flags name, before anything is mounted.
func (f *treeFlags) check(ctx context.Context) error {
	if f.profile != "moby" && f.profile != "none" {
		return usagef("reading --profile %q: it is moby or none", f.profile)
	}
	var err error
	if f.xattrPolicy, err = export.ParseXattrPolicy(f.xattrs); err != nil {
		return usagef("reading --xattrs %q: %w", f.xattrs, err)
	}
	if f.excludes, err = f.excludeFlags.patterns(ctx); err != nil {
		return err
	}
	if err := f.readReplacements(ctx); err != nil {
		return err
	}
	for _, pattern := range f.includes {
		if err := checkPattern("--include", pattern, pattern); err != nil {
			return err
		}
	}
	return f.readEpoch()
}

func (f *treeFlags) readEpoch() error {
	if f.sourceDateEpoch == "" {
		return nil
	}
	var seconds int64
	if _, err := fmt.Sscanf(f.sourceDateEpoch+"\n", "%d\n", &seconds); err != nil || seconds < 0 {
		return usagef("reading SOURCE_DATE_EPOCH %q: it is a number of seconds since 1970", f.sourceDateEpoch)
	}
	epoch := time.Unix(seconds, 0)
	f.epoch = &epoch
	return nil
}

// checkDated refuses an image whose date cannot be read, if --reproducible depends
// on it.
func (f *treeFlags) checkDated(image *snapshot.Image) error {
	if err := image.Unread["created"]; err != nil && f.reproducible && f.epoch == nil {
		return &fieldError{name: "created", err: err, times: true}
	}
	return nil
}

// latest is the time that --reproducible lets nothing exceed, and which what
// this tool makes itself has: the image's creation or SOURCE_DATE_EPOCH, the
// earlier one; 1970 where there is neither. A date of the year 1 is what some
// builders write for none.
func (f *treeFlags) latest(created *time.Time) time.Time {
	switch {
	case created == nil || created.Year() <= 1:
		if f.epoch != nil {
			return *f.epoch
		}
		return time.Unix(0, 0)
	case f.epoch != nil && f.epoch.Before(*created):
		return *f.epoch
	}
	return *created
}

// shown decorates the image's tree by the flags. What the user replaces wins
// over what he excludes, and both over the profile. The result closes tree.
func (f *treeFlags) shown(tree export.Tree, latest time.Time) (*shownTree, error) {
	base, s := tree, &shownTree{}
	profile := f.effectiveProfile(latest)
	s.profile = f.wholeProfile(latest)
	s.omission = export.Omit(tree, profile.Omit)
	tree = export.Insert(s.omission, profile.Files)
	s.unkept = f.unkept(latest)
	filter, err := export.NewFilter(tree, export.Rules{Exclude: f.excludes, Include: f.includes})
	if err != nil {
		return nil, usageError{err}
	}
	s.filter = filter
	made := append([]export.Made(nil), f.replacementFiles...)
	for i := range made {
		made[i].MTime = latest
	}
	s.accounts = export.Insert(base, made)
	s.xattrs = export.Xattrs(export.Insert(filter, made), f.xattrPolicy)
	s.Tree = s.xattrs
	switch {
	case f.reproducible:
		s.Tree = export.Reproducible(s.Tree, latest)
	case f.epoch != nil:
		s.Tree = export.Clamp(s.Tree, *f.epoch)
	}
	return s, nil
}

// shownTree is the image's tree as the flags show it, with what they left out.
type shownTree struct {
	export.Tree
	// accounts is the tree in which users are looked up: neither profile nor
	// filter apply, since what the image says of its users stays true without
	// the file that says it.
	accounts export.Tree
	omission *export.Omission
	// profile is that of --profile before --keep changes it.
	profile export.Profile
	// unkept are the values of --keep with which the profile has nothing to do.
	unkept []string
	filter *export.Filter
	xattrs *export.XattrFilter
	// openDirs is nil where no directory's mode is doubted.
	openDirs *openDirs
}
