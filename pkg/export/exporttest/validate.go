package exporttest

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// Validate shows t and fails a Walk at the first entry that breaks a promise of
// export.Tree: clean relative paths, sorted, none twice, each directory before
// what it holds, and types that agree with the other fields.
func Validate(t export.Tree) export.Tree { return validTree{t} }

type validTree struct{ export.Tree }

func (t validTree) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	var o order
	return t.Tree.Walk(ctx, func(e *export.Entry) error {
		if err := o.check(e); err != nil {
			return err
		}
		return visit(e)
	})
}

// order is what has been seen of a stream of entries.
type order struct {
	last  string
	above []string // directories, from the root to the last entry
}

func (o *order) check(e *export.Entry) error {
	if err := checkEntry(e); err != nil {
		return fmt.Errorf("entry %q: %w", e.Path, err)
	}
	if o.last != "" && export.Compare(o.last, e.Path) >= 0 {
		return fmt.Errorf("entry %q comes after %q", e.Path, o.last)
	}
	for len(o.above) > 0 && !strings.HasPrefix(e.Path, o.above[len(o.above)-1]+"/") {
		o.above = o.above[:len(o.above)-1]
	}
	parent := path.Dir(e.Path)
	if parent != "." && (len(o.above) == 0 || o.above[len(o.above)-1] != parent) {
		return fmt.Errorf("entry %q: its directory has not been shown", e.Path)
	}
	o.last = e.Path
	if e.Type == export.Directory {
		o.above = append(o.above, e.Path)
	}
	return nil
}

func checkEntry(e *export.Entry) error {
	switch {
	case e.Path == "" || e.Path == "." || path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path || strings.HasPrefix(e.Path, ".."+"/") || e.Path == "..":
		return fmt.Errorf("the path is not clean and relative")
	case strings.ContainsRune(e.Path, 0):
		return fmt.Errorf("the path has a NUL byte")
	case e.Type < export.Regular || e.Type > export.Socket:
		return fmt.Errorf("type %d is unknown", e.Type)
	case e.Mode > 0o7777:
		return fmt.Errorf("mode %#o has more than permission bits", e.Mode)
	case e.Type != export.Regular && (e.Size != 0 || e.Open != nil):
		return fmt.Errorf("a %s has a body", e.Type)
	case e.Type == export.Regular && (e.Size < 0 || (e.Size > 0) != (e.Open != nil)):
		return fmt.Errorf("%d bytes, but a body: %t", e.Size, e.Open != nil)
	case (e.Type == export.Symlink) != (e.Target != ""):
		return fmt.Errorf("a %s has the target %q", e.Type, e.Target)
	case e.Type == export.Directory && e.Link != export.LinkKey{}:
		return fmt.Errorf("a directory is a hard link")
	}
	return nil
}

// Recorder is a Sink that keeps a listing of what it was given, and checks that
// it comes in order, with links to names that were there before, and bodies of
// the right size.
type Recorder struct {
	// Lines has one line an entry: type, mode, owner, path, what it points to.
	Lines  []string
	Bodies map[string]string
	// Closed and Aborted count the calls.
	Closed, Aborted int
	order           order
	kinds           map[string]export.Type
}

// Put checks and records r.
func (s *Recorder) Put(_ context.Context, r *export.Record) error {
	if err := s.order.check(r.Entry); err != nil {
		return err
	}
	if s.kinds == nil {
		s.kinds, s.Bodies = make(map[string]export.Type), make(map[string]string)
	}
	if kind, seen := s.kinds[r.LinkTo]; r.LinkTo != "" && (!seen || kind != r.Type) {
		return fmt.Errorf("entry %q links to %q, which is not there before it", r.Path, r.LinkTo)
	}
	s.kinds[r.Path] = r.Type
	s.Lines = append(s.Lines, Line(r))
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err == nil && int64(len(body)) != r.Size {
		err = fmt.Errorf("entry %q has %d bytes instead of %d", r.Path, len(body), r.Size)
	}
	s.Bodies[r.Path] = string(body)
	return err
}

// Close counts.
func (s *Recorder) Close() error { s.Closed++; return nil }

// Abort counts.
func (s *Recorder) Abort() error { s.Aborted++; return nil }

// Line is how a Recorder lists a record.
func Line(r *export.Record) string {
	kind := map[export.Type]string{
		export.Regular: "-", export.Directory: "d", export.Symlink: "l", export.CharDevice: "c",
		export.BlockDevice: "b", export.FIFO: "p", export.Socket: "s",
	}[r.Type]
	line := fmt.Sprintf("%s %04o %d:%d %q", kind, r.Mode, r.UID, r.GID, r.Path)
	if r.LinkTo != "" {
		return line + fmt.Sprintf(" link to %q", r.LinkTo)
	}
	switch r.Type {
	case export.Regular:
		line += fmt.Sprintf(" %d bytes", r.Size)
	case export.Symlink:
		line += fmt.Sprintf(" -> %q", r.Target)
	case export.CharDevice, export.BlockDevice:
		line += fmt.Sprintf(" %d,%d", r.RdevMajor, r.RdevMinor)
	}
	for _, x := range r.Attrs {
		line += fmt.Sprintf(" %s=%q", x.Name, x.Value)
	}
	return line
}

// List writes t to a Recorder and gives its lines.
func List(ctx context.Context, t export.Tree) ([]string, error) {
	var s Recorder
	_, err := export.Write(ctx, Validate(t), &s)
	return s.Lines, err
}
