package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/layers"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/snapshot"
)

func otherListHint(e *snapshot.OtherListError) string {
	return fmt.Sprintf("its %s is read as %s", e.List, e.Other)
}

func archiveHint(e *snapshot.ArchiveError) string {
	var foreign *snapshot.ForeignError
	var cut *snapshot.CutError
	switch {
	case errors.As(e, &foreign):
		return "unpack it first: " + commandFor(foreign.Command, e.Path)
	case errors.As(e, &cut):
		return "write it again; ctr images export of containerd 2.4 may lose the end without --local"
	case errors.Is(e, snapshot.ErrOldDocker):
		return "docker 1.10 to 28 loads it, and saves it with a manifest.json"
	case errors.Is(e, fs.ErrNotExist) && strings.HasPrefix(e.Path, "//") && !strings.HasPrefix(e.Path, "///"):
		return "a registry's image is named without a prefix"
	case errors.Is(e, syscall.EISDIR):
		return "a directory is read as oci:" + e.Path
	case errors.Is(e, syscall.ENOTDIR):
		return "a file is read as oci-archive:" + e.Path + " or docker-archive:" + e.Path
	}
	return ""
}

// commandFor puts a file's name into a command, where a shell would not read it as
// something else.
func commandFor(command, path string) string {
	if path == "-" || strings.ContainsAny(path, " \t\n'\"\\$&;()<>|*?`") {
		return command
	}
	return strings.ReplaceAll(command, "FILE", path)
}

// archiveLimitHint is a row of the table of hints.
func archiveLimitHint(err error) (string, bool) {
	return limitHint(&layers.LimitError{Of: layers.LimitBytes}), errors.Is(err, snapshot.ErrLimit)
}
