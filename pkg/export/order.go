package export

import (
	"cmp"
	"strings"
)

// Compare orders two clean paths as a Walk visits them: negative when a comes
// first. Siblings go by bytes and a directory's tree follows it at once, so
// '/' counts as lower than every other byte (a, a/b, a-b).
func Compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(rank(a[i]), rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

func rank(c byte) int {
	if c == '/' {
		return -1
	}
	return int(c)
}

// isBelow reports whether path lies strictly below the directory dir.
func isBelow(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// isAtOrBelow reports whether path is dir or lies below it.
func isAtOrBelow(path, dir string) bool {
	return path == dir || isBelow(path, dir)
}

// join puts a name below a directory; the empty directory is the root.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// parentOf is the directory that holds path, "" for the root.
func parentOf(path string) string {
	return path[:max(0, strings.LastIndexByte(path, '/'))]
}

// parentsOf lists the directories above path, the topmost first and without
// the root.
func parentsOf(path string) []string {
	var above []string
	for i := range len(path) {
		if path[i] == '/' {
			above = append(above, path[:i])
		}
	}
	return above
}

// components splits a path, clean or not, into its names; "." and empty ones
// say nothing and are dropped, ".." stays.
func components(path string) []string {
	var names []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}
