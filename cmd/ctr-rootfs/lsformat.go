package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// typeLetters begin a line, as in ls(1).
var typeLetters = map[export.Type]byte{
	export.Regular: '-', export.Directory: 'd', export.Symlink: 'l',
	export.CharDevice: 'c', export.BlockDevice: 'b', export.FIFO: 'p',
}

// lsLine is for people: type and mode, owner, size or device number, time,
// name, and where a link leads. A directory's name ends in a slash, as in the
// tar; a name that would break the line is quoted.
func lsLine(line []byte, r *export.Record) ([]byte, error) {
	letter, name, link := typeLetters[r.Type], r.Path, ""
	size := strconv.FormatInt(r.Size, 10)
	switch {
	case r.LinkTo != "":
		letter, size = 'h', "0"
		link = " link to " + quotedIfNeeded(r.LinkTo)
	case r.Type == export.Directory:
		name += "/"
	case r.Type == export.Symlink:
		link = " -> " + quotedIfNeeded(r.Target)
	case r.Type == export.CharDevice || r.Type == export.BlockDevice:
		size = fmt.Sprintf("%d,%d", r.RdevMajor, r.RdevMinor)
	}
	owner := fmt.Sprintf("%d/%d", r.UID, r.GID)
	when := r.MTime.UTC().Format("2006-01-02 15:04:05")
	return fmt.Appendf(line, "%c%s %-11s %10s %s %s%s", letter, permissions(r.Mode), owner, size, when, quotedIfNeeded(name), link), nil
}

// permissions gives a mode as ls(1) does: rwxr-xr-x, with s, S, t and T.
func permissions(mode uint32) string {
	text := []byte("---------")
	for i := range text {
		if mode&(0o400>>i) != 0 {
			text[i] = "rwx"[i%3]
		}
	}
	special := func(at int, bit uint32, with, without byte) {
		if mode&bit == 0 {
			return
		}
		if text[at] == 'x' {
			text[at] = with
		} else {
			text[at] = without
		}
	}
	special(2, 0o4000, 's', 'S')
	special(5, 0o2000, 's', 'S')
	special(8, 0o1000, 't', 'T')
	return string(text)
}

// quotedIfNeeded leaves a name alone that stands on a line and in UTF-8, and
// could not be taken for a quoted one.
func quotedIfNeeded(name string) string {
	quoted := strconv.Quote(name)
	if quoted[1:len(quoted)-1] == name && !strings.HasPrefix(name, `"`) {
		return name
	}
	return quoted
}

// lsEntry is a line of ls --json. JSON holds no bytes: a name or target that
// is no UTF-8 stands in base64 under its second key, and approximately under
// its first.
type lsEntry struct {
	Path        string    `json:"path"`
	PathBytes   []byte    `json:"pathBytes,omitempty"`
	Type        string    `json:"type"`
	Mode        string    `json:"mode"`
	UID         uint32    `json:"uid"`
	GID         uint32    `json:"gid"`
	Size        int64     `json:"size"`
	MTime       string    `json:"mtime"`
	Target      string    `json:"target,omitempty"`
	TargetBytes []byte    `json:"targetBytes,omitempty"`
	LinkTo      string    `json:"linkTo,omitempty"`
	LinkToBytes []byte    `json:"linkToBytes,omitempty"`
	Major       *uint32   `json:"major,omitempty"`
	Minor       *uint32   `json:"minor,omitempty"`
	Xattrs      []lsXattr `json:"xattrs,omitempty"`
}

// lsXattr has its value in base64.
type lsXattr struct {
	Name      string `json:"name"`
	NameBytes []byte `json:"nameBytes,omitempty"`
	Value     []byte `json:"value"`
}

// typeWords are for programs, so each is one word.
var typeWords = map[export.Type]string{
	export.Regular: "file", export.Directory: "directory", export.Symlink: "symlink",
	export.CharDevice: "char", export.BlockDevice: "block", export.FIFO: "fifo",
}

func lsJSON(line []byte, r *export.Record) ([]byte, error) {
	e := lsEntry{
		Path: r.Path, PathBytes: ifNoText(r.Path),
		Type: typeWords[r.Type],
		Mode: fmt.Sprintf("%04o", r.Mode),
		UID:  r.UID, GID: r.GID, Size: r.Size,
		MTime:  r.MTime.UTC().Format(time.RFC3339Nano),
		Target: r.Target, TargetBytes: ifNoText(r.Target),
		LinkTo: r.LinkTo, LinkToBytes: ifNoText(r.LinkTo),
	}
	if r.LinkTo != "" {
		e.Size = 0
	}
	if r.Type == export.CharDevice || r.Type == export.BlockDevice {
		e.Major, e.Minor = &r.RdevMajor, &r.RdevMinor
	}
	for _, x := range r.Attrs {
		e.Xattrs = append(e.Xattrs, lsXattr{x.Name, ifNoText(x.Name), x.Value})
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("listing %q: %w", r.Path, err)
	}
	return append(line, text...), nil
}

func ifNoText(s string) []byte {
	if utf8.ValidString(s) {
		return nil
	}
	return []byte(s)
}
