package layers

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// list gives a line an entry: type and mode, what is not the default of owner,
// time and xattrs, the path, then the content, the target or the first name.
func list(tb testing.TB, tree export.Tree) string {
	tb.Helper()
	var out strings.Builder
	first := map[export.LinkKey]string{}
	err := exporttest.Validate(tree).Walk(tb.Context(), func(e *export.Entry) error {
		line, err := describe(tb.Context(), e)
		if err != nil {
			return err
		}
		if was, seen := first[e.Link]; seen && e.Link != (export.LinkKey{}) {
			line += " => " + was
		} else {
			first[e.Link] = e.Path
		}
		out.WriteString(line + "\n")
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func describe(ctx context.Context, e *export.Entry) (string, error) {
	letter := map[export.Type]string{
		export.Regular: "f", export.Directory: "d", export.Symlink: "l",
		export.CharDevice: "c", export.BlockDevice: "b", export.FIFO: "p",
	}[e.Type]
	line := fmt.Sprintf("%s%04o %q", letter, e.Mode, e.Path)
	if e.UID != 0 || e.GID != 0 {
		line += fmt.Sprintf(" %d:%d", e.UID, e.GID)
	}
	switch {
	case e.MTime.Equal(impliedTime):
		line += " implied"
	case !e.MTime.Equal(entryTime):
		line += fmt.Sprintf(" @%d.%09d", e.MTime.Unix(), e.MTime.Nanosecond())
	}
	if e.Xattrs != nil {
		attrs, err := e.Xattrs(ctx)
		if err != nil {
			return "", err
		}
		for _, x := range attrs {
			line += fmt.Sprintf(" {%q=%q}", x.Name, x.Value)
		}
	}
	if e.Target != "" {
		line += fmt.Sprintf(" -> %q", e.Target)
	}
	if e.Type == export.CharDevice || e.Type == export.BlockDevice {
		line += fmt.Sprintf(" %d,%d", e.RdevMajor, e.RdevMinor)
	}
	if e.Open == nil {
		return line, nil
	}
	body, err := e.Open(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err == nil && int64(len(data)) != e.Size {
		err = fmt.Errorf("%q has %d bytes, not %d", e.Path, len(data), e.Size)
	}
	if len(data) > 64 {
		return line + " " + digest.FromBytes(data).Encoded()[:16], err
	}
	return line + fmt.Sprintf(" %q", data), err
}

// differences gives the lines that only one of two listings has.
func differences(got, want string) string {
	count := map[string]int{}
	for line := range strings.Lines(want) {
		count[line]++
	}
	var out strings.Builder
	for line := range strings.Lines(got) {
		if count[line]--; count[line] < 0 {
			out.WriteString("  got  " + line)
		}
	}
	for line := range strings.Lines(want) {
		if count[line] > 0 {
			count[line]--
			out.WriteString("  want " + line)
		}
	}
	if out.Len() == 0 && got != want {
		return "  the same lines in another order\n"
	}
	return out.String()
}
