package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// isStdout says whether Create has name for standard output.
func isStdout(name string) bool { return name == "" || name == "-" }

// Overlap says whether what is written to name would land in output, as Create
// has both: in the same file, or below it where it is a directory.
func Overlap(name, output string, stdout *os.File) (bool, error) {
	// One file may be mounted at two places, and be standard output, too.
	if Same(name, output, stdout) {
		return true, nil
	}
	if isStdout(output) {
		return false, nil
	}
	own, err := absolute(name)
	if err != nil {
		return false, err
	}
	other, err := absolute(output)
	if err != nil {
		return false, err
	}
	return own == other || strings.HasPrefix(own, other+string(filepath.Separator)), nil
}

// Same says whether name leads to the file that other leads to, or that stream
// is, where other names that. Why one of them cannot be looked at is told by who
// opens it.
func Same(name, other string, stream *os.File) bool {
	own, err := os.Stat(name)
	if err != nil {
		return false
	}
	stat := stream.Stat
	if !isStdout(other) {
		stat = func() (fs.FileInfo, error) { return os.Stat(other) }
	}
	info, err := stat()
	return err == nil && os.SameFile(own, info)
}

// absolute gives the one path of what name leads to.
func absolute(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return resolve(path)
}

// resolve follows every symlink of name, also one that leads to nothing yet, and
// those above a directory that is not there.
func resolve(name string) (string, error) {
	path, err := filepath.EvalSymlinks(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if _, err := os.Stat(name); err == nil {
		return name, nil // a link of /proc to what has no path (proc(5), fd/)
	}
	dir, base := filepath.Split(name)
	if dir == "" {
		dir = "."
	}
	above, err := filepath.EvalSymlinks(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(dir) <= len(filepath.VolumeName(dir))+1:
		return name, nil // the working directory or a drive is gone
	case errors.Is(err, fs.ErrNotExist):
		above, err = resolve(dir[:len(dir)-1])
		// Join would drop a "..", and name something else, which is there.
		return above + string(filepath.Separator) + base, err
	case err != nil:
		return "", err
	}
	path = filepath.Join(above, base)
	target, err := os.Readlink(path)
	switch {
	case err != nil:
		return path, nil // no symlink: nothing has the name yet
	case filepath.IsAbs(target):
		return resolve(target)
	}
	// Join would drop the ".." of a target before its symlinks are followed.
	return resolve(above + string(filepath.Separator) + target)
}
