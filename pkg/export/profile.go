package export

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
)

// Profile is what an export changes in every image: names that are left out
// and files that are replaced. The zero value changes nothing.
type Profile struct {
	// Omit lists names by their exact path; a directory goes with its tree.
	Omit []string
	// Files replace what the image has, and are created where it has nothing.
	Files []Made
}

// The texts that the moby tool gives to every image.
const (
	mobyHosts = "127.0.0.1 localhost\n" +
		"::1 localhost ip6-localhost ip6-loopback\n" +
		"fe00::0 ip6-localnet\n" +
		"ff00::0 ip6-mcastprefix\n" +
		"ff02::1 ip6-allnodes\n" +
		"ff02::2 ip6-allrouters\n"
	mobyResolvConf = "nameserver 8.8.8.8\n" +
		"nameserver 8.8.4.4\n" +
		"nameserver 2001:4860:4860::8888\n" +
		"nameserver 2001:4860:4860::8844\n"
	mobyHostname = "moby"
)

// Moby is the profile of the moby tool, whose bundles expect it. Its files
// have the time mtime.
func Moby(mtime time.Time) Profile {
	file := func(path, text string) Made {
		return Made{Path: path, Type: Regular, Mode: 0o644, Content: []byte(text), MTime: mtime}
	}
	return Profile{
		Omit: []string{".dockerenv", "Dockerfile", "dev/console", "dev/pts", "dev/shm"},
		Files: []Made{
			file("etc/hosts", mobyHosts),
			file("etc/resolv.conf", mobyResolvConf),
			file("etc/hostname", mobyHostname),
		},
	}
}

// Without is the profile with no hold on the paths in keep: a name that is at,
// above or below one of them is neither left out nor replaced.
func (p Profile) Without(keep []string) Profile {
	kept := func(path string) bool {
		return slices.ContainsFunc(keep, func(k string) bool {
			k = strings.Join(components(k), "/")
			return isAtOrBelow(path, k) || isBelow(k, path)
		})
	}
	return Profile{
		Omit:  slices.DeleteFunc(slices.Clone(p.Omit), kept),
		Files: slices.DeleteFunc(slices.Clone(p.Files), func(m Made) bool { return kept(m.Path) }),
	}
}

// Omission is a Tree without some names of another.
type Omission struct {
	Tree
	paths []string

	mu    sync.Mutex
	found []string
}

// Omit shows t without the names in paths, each with its tree. Paths are meant
// as they are, not through symlinks. The tree that it returns closes t.
func Omit(t Tree, paths []string) *Omission {
	return &Omission{Tree: t, paths: paths}
}

// Omitted lists the paths that the last walk met and left out, in its order.
func (o *Omission) Omitted() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.found)
}

// Walk visits what is not omitted.
func (o *Omission) Walk(ctx context.Context, visit func(*Entry) error) error {
	var found []string
	err := o.Tree.Walk(ctx, func(e *Entry) error {
		if !slices.Contains(o.paths, e.Path) {
			return visit(e)
		}
		found = append(found, e.Path)
		if e.Type == Directory {
			return fs.SkipDir
		}
		return nil
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.found = found
	return err
}

// Lookup finds what Walk visits.
func (o *Omission) Lookup(ctx context.Context, path string) (*Entry, error) {
	for _, p := range o.paths {
		if isAtOrBelow(path, p) {
			return nil, notFound(path)
		}
	}
	return o.Tree.Lookup(ctx, path)
}
