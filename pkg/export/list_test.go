package export_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// List visits what Write puts, and opens no file.
func TestListIsWriteWithoutBodies(t *testing.T) {
	closed := func(context.Context) (io.ReadCloser, error) { return nil, errors.New("a body is opened") }
	entries := func() []*export.Entry {
		return []*export.Entry{
			exporttest.Dir("d"), exporttest.File("d/f", "1"), exporttest.Link("l", "d"), exporttest.Node("s", export.Socket),
			exporttest.HardLinked(exporttest.File("x", "22"), 1, 1), exporttest.HardLinked(exporttest.File("y", "22"), 1, 1),
			exporttest.WithXattrs(exporttest.Node("z", export.FIFO), export.Xattr{Name: "user.a", Value: []byte("v")}),
		}
	}
	var s exporttest.Recorder
	written, err := export.Write(t.Context(), exporttest.New(entries()...), &s)
	if err != nil {
		t.Fatal(err)
	}
	unread := entries()
	for _, e := range unread {
		if e.Open != nil {
			e.Open = closed
		}
	}
	var lines []string
	listed, err := export.List(t.Context(), exporttest.Validate(exporttest.New(unread...)), func(r *export.Record) error {
		lines = append(lines, exporttest.Line(r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range max(len(lines), len(s.Lines)) {
		if i >= len(lines) || i >= len(s.Lines) || lines[i] != s.Lines[i] {
			t.Fatalf("listed %q\nwritten %q", lines, s.Lines)
		}
	}
	if listed.Entries() != written.Entries() || listed.SocketCount != written.SocketCount {
		t.Errorf("listing counts %+v, writing %+v", listed, written)
	}
}
