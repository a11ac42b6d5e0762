package layers

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

const (
	// maxSymlinks is how many symlinks containerd follows in one path
	// (continuity's fs.RootPath).
	maxSymlinks = 255
	// maxPath bounds a directory's path after all symlinks. Linux takes 4,096
	// bytes in one call, and so does containerd; a tar's names may be 1 MiB long.
	// A walk keeps the path of each directory above it, so that a directory for
	// each second byte takes memory by the square of this.
	maxPath = 8 << 10
)

var errNotDirectory = errors.New("not a directory")

// cleanPath brings a name of a tar inside the root: relative, without ".", ".."
// or empty components, "" for the root itself. It goes by the letter, as
// containerd does, not by what symlinks make of "..".
func cleanPath(name string) string {
	return path.Clean("/" + name)[1:]
}

// splitPath gives the directory ("" for the root) and the last component.
func splitPath(name string) (dir, base string) {
	at := strings.LastIndexByte(name, '/')
	return name[:max(at, 0)], name[at+1:]
}

// lookup finds the node at a clean path without following a symlink, nil where
// there is none.
func lookup(root *node, name string) *node {
	at := root
	for name != "" && at != nil {
		var first string
		first, name, _ = strings.Cut(name, "/")
		at = at.child(first)
	}
	return at
}

// resolve follows the symlinks of a clean path, the last component's included,
// inside the tree of root, and gives the components of where it leads. What
// does not exist is taken by the letter: it is where a directory would be made.
func resolve(root *node, name string) ([]string, error) {
	var resolved []string
	at, length := root, 0
	for links := 0; name != ""; {
		var first string
		first, name, _ = strings.Cut(name, "/")
		if at != nil && at.dir == nil {
			return nil, fmt.Errorf("%q is a %s, %w", strings.Join(resolved, "/"), at.inode.kind, errNotDirectory)
		}
		next := at.child(first)
		if next.isSymlink() {
			if links++; links > maxSymlinks {
				return nil, fmt.Errorf("following %q: over %d symlinks", first, maxSymlinks)
			}
			name = path.Join(follow(strings.Join(resolved, "/"), next.inode.target()), name)
			resolved, at, length = nil, root, 0
			continue
		}
		resolved, at = append(resolved, first), next
		if length += 1 + len(first); length > maxPath {
			return nil, &LimitError{LimitPath, maxPath}
		}
	}
	return resolved, nil
}

// follow gives the clean path to which a symlink in dir leads.
func follow(dir, target string) string {
	if strings.HasPrefix(target, "/") {
		return cleanPath(target)
	}
	return cleanPath(dir + "/" + target)
}

// find gives the node at a clean path, nil where there is none: symlinks on the
// way are followed, one at its end is not.
func find(root *node, name string) (*node, error) {
	if name == "" {
		return root, nil
	}
	dir, base := splitPath(name)
	at := root
	names, err := resolve(root, dir)
	for _, name := range names {
		at = at.child(name)
	}
	return at.child(base), err
}
