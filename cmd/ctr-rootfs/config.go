package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/ocispec"
)

// document gives config.json, as text and as what it says.
func (f *configFlags) document(ctx context.Context, o *opened) ([]byte, *rspec.Spec, error) {
	switch {
	case f.spec != nil:
		return f.given, f.spec, nil
	case f.source == specOfContainer:
		return containerSpec(o)
	}
	if !o.view.Image.Known() {
		return nil, nil, &imageError{source: o.source, container: o.view.Container != nil && len(o.view.Container.Spec) > 0}
	}
	img, err := f.image(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	accounts, err := f.accounts(ctx, o, img)
	if err != nil {
		return nil, nil, err
	}
	spec, err := ocispec.New(img, accounts, f.options)
	if err != nil {
		return nil, nil, fmt.Errorf("making config.json for %q: %w", o.source, err)
	}
	text, err := ocispec.Marshal(spec)
	return text, spec, err
}

// image gives the image's config without what cannot be in config.json, and
// notes in o what it left out.
func (f *configFlags) image(ctx context.Context, o *opened) (ispec.Image, error) {
	if err := f.unread(o.view.Image.Unread); err != nil {
		return ispec.Image{}, fmt.Errorf("making config.json for %q: %w", o.source, err)
	}
	img, dropped := ocispec.Clean(o.view.Image.Config, f.options)
	places, unfit, err := f.volumePlaces(ctx, o.tree.accounts, img.Config.Volumes)
	if err == nil {
		var more []ocispec.Dropped
		more, err = unseedable(ctx, o.tree.accounts, places)
		unfit = append(unfit, more...)
	}
	if err != nil {
		return img, orPlace(fmt.Errorf("making config.json for %q: %w", o.source, err))
	}
	for _, d := range unfit {
		delete(img.Config.Volumes, d.Value)
	}
	o.dropped, o.volumes = slices.Concat(dropped, unfit), img.Config.Volumes
	return img, nil
}

// maxNamedEntries bounds how many entries of a config are named: an image may have
// as many as its config has room for.
const maxNamedEntries = 100

// unfit is what runtimes refuse of the image's config.
func unfit(o *opened) (left []metadataLeftOut) {
	named := o.dropped[:min(len(o.dropped), maxNamedEntries)]
	for _, d := range named {
		left = append(left, metadataLeftOut{Config: fmt.Sprintf("%s %q", d.Field, d.Value), Count: 1, Why: d.Why})
	}
	if more := len(o.dropped) - len(named); more > 0 {
		left = append(left, metadataLeftOut{Count: int64(more), Why: "further entries of the image's config, which runtimes refuse"})
	}
	return left
}

// unread gives the error of a field that could not be read and is needed: config.json
// is made of it, and no flag replaces it. Of several fields it is the first by name.
func (f *configFlags) unread(fields map[string]error) error {
	given := map[string]bool{
		"history": true, "config.ArgsEscaped": true, // of which config.json has nothing
		"config.Entrypoint": len(f.options.Args) > 0, "config.Cmd": len(f.options.Args) > 0,
		"config.User": f.options.User != "", "config.WorkingDir": f.options.Cwd != "",
		"config.Volumes": f.options.Volumes == ocispec.VolumesNone,
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !given[name] {
			return &fieldError{name: name, err: fields[name]}
		}
	}
	return nil
}

// fieldError says why a field of the image's config, which is needed, cannot be
// read.
type fieldError struct {
	name string
	err  error
	// times says that --reproducible needs it, not config.json.
	times bool
}

func (e *fieldError) Error() string {
	return fmt.Sprintf("reading %s of the image's config: %v", e.name, e.err)
}

func (e *fieldError) Unwrap() error { return e.err }

func fieldHint(e *fieldError) string {
	if e.times {
		return "set SOURCE_DATE_EPOCH"
	}
	switch e.name {
	case "config.Entrypoint", "config.Cmd":
		return commandHint
	case "config.User":
		return "say who with --user"
	case "config.WorkingDir":
		return cwdHint
	case "config.Volumes":
		return "leave the volumes out with --volumes none"
	}
	return "use --config FILE"
}

// imageError says that there is no image from whose config to make config.json;
// container, that there is a container's own.
type imageError struct {
	source    string
	container bool
}

func (e *imageError) Error() string {
	return fmt.Sprintf("making config.json for %q: the image that it was made from is not known", e.source)
}

func imageHint(e *imageError) string {
	if e.container {
		return "use --spec container, or --config FILE"
	}
	return "use --config FILE"
}

// accounts reads the root's own passwd and group, where the image's user has
// to be looked up in them at all.
func (f *configFlags) accounts(ctx context.Context, o *opened, img ispec.Image) (a ocispec.Accounts, err error) {
	if !ocispec.NeedsAccounts(img, f.options) {
		return a, nil
	}
	if a.Passwd, err = readAccounts(ctx, o, "etc/passwd"); err != nil {
		return a, err
	}
	a.Group, err = readAccounts(ctx, o, "etc/group")
	return a, err
}

// readAccounts gives nil where there is no such file.
func readAccounts(ctx context.Context, o *opened, name string) ([]byte, error) {
	data, err := export.ReadFile(ctx, o.tree.accounts, name, ocispec.MaxAccountsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, orPlace(err)
}

// orPlace gives the error of a --replace that cannot be where err holds one: what
// was looked up has nothing to do with it.
func orPlace(err error) error {
	var place *export.PlaceError
	if errors.As(err, &place) {
		return place
	}
	return err
}

// mountPoint is the place of a mount: a directory, but a file where a file of
// this host is bound.
func mountPoint(p ocispec.MountPoint, o *opened) export.Made {
	made := export.Made{
		Path: p.Path, For: forMount, Type: export.Directory, Mode: 0o755, MTime: o.latest,
		IfMissing: true, NoSymlink: p.NoSymlink,
	}
	if _, is := o.volumes["/"+p.Path]; is {
		made.For = forVolume
	}
	if p.Source == "" {
		return made
	}
	if info, err := os.Stat(p.Source); err == nil && !info.IsDir() {
		made.Type, made.Mode = export.Regular, 0o644
	}
	return made
}

// volumePlaces finds the volumes that a runtime fills from tree, by their paths
// without symlinks, and in dropped those whose place takes no mount. It deletes those
// whose place a --mount takes.
func (f *configFlags) volumePlaces(ctx context.Context, tree export.Tree, volumes map[string]struct{}) (places map[string][]string, dropped []ocispec.Dropped, err error) {
	mounted := map[string]string{"dev": "/dev"} // destinations, by their paths without symlinks
	for _, m := range f.options.Mounts {
		place, _, err := export.Resolve(ctx, tree, m.Destination)
		if err == nil || errors.Is(err, fs.ErrNotExist) { // any other is an error of its mount point
			mounted[place] = path.Clean(m.Destination)
		}
	}
	places = make(map[string][]string)
	for _, volume := range slices.Sorted(maps.Keys(volumes)) {
		place, _, err := export.Resolve(ctx, tree, volume)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("finding volume %q: %w", volume, err)
		}
		why := ocispec.Unmountable(path.Join("/", place))
		_, taken := mounted[place]
		switch {
		case why != "":
			dropped = append(dropped, ocispec.Dropped{Field: "Volumes", Value: volume, Why: why})
		case taken:
			delete(volumes, volume)
		case err == nil && !covered(volume, place, mounted):
			places[place] = append(places[place], volume)
		}
	}
	return places, dropped, nil
}

// covered says whether something is mounted above the place of a volume, and before
// it: config.json has them sorted by destination, after /dev. A runtime fills the
// volume from that mount then, not from the root.
func covered(volume, place string, mounted map[string]string) bool {
	for dir := path.Dir(place); dir != "."; dir = path.Dir(dir) {
		if at, is := mounted[dir]; is && (dir == "dev" || at < volume) {
			return true
		}
	}
	return false
}

// unseedable finds the volumes with which runc does not start: it copies what tree
// has at places into a tmpfs, and fails on a FIFO and on a device. (It fails on a
// socket, too, but a bundle holds none.) tree is the whole image's, without the
// filters of bundle, so that spec gives the same.
func unseedable(ctx context.Context, tree export.Tree, places map[string][]string) (dropped []ocispec.Dropped, err error) {
	if len(places) == 0 {
		return nil, nil
	}
	above := make(map[string]bool)
	for place := range places {
		for dir := place; dir != "."; dir = path.Dir(dir) {
			above[dir] = true
		}
	}
	err = tree.Walk(ctx, func(e *export.Entry) error {
		inside, fails := false, e.Type == export.FIFO || e.Type == export.CharDevice || e.Type == export.BlockDevice
		for dir := e.Path; dir != "."; dir = path.Dir(dir) {
			held, is := places[dir]
			inside = inside || is
			if !fails {
				continue
			}
			for _, volume := range held {
				why := fmt.Sprintf("it stays in the root, because runc cannot copy the %s %q into a tmpfs", e.Type, e.Path)
				dropped = append(dropped, ocispec.Dropped{Field: "Volumes", Value: volume, Why: why})
			}
			delete(places, dir)
		}
		if e.Type == export.Directory && !inside && !above[e.Path] {
			return fs.SkipDir
		}
		return nil
	})
	return dropped, err
}
