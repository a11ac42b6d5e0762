package export_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// bodyTree has a file "body" of a size between two others.
func bodyTree(size int) export.Tree {
	return exporttest.New(exporttest.File("a", "first"), exporttest.File("body", strings.Repeat("x", size)), exporttest.File("z", "last"))
}

// hanging is a tree of which one kind of reading does not return for a while.
type hanging struct {
	export.Tree
	at string
	// begun is closed when it hangs, and answer lets it go on.
	begun, answer chan struct{}
	once          sync.Once
}

func (h *hanging) wait(at string) {
	if at == h.at {
		h.once.Do(func() { close(h.begun) })
		<-h.answer
	}
}

func (h *hanging) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return h.Tree.Walk(ctx, func(e *export.Entry) error {
		if e.Path == "z" {
			h.wait("walk")
		}
		shown := *e
		if open := e.Open; open != nil && e.Path == "body" {
			shown.Open = func(ctx context.Context) (io.ReadCloser, error) {
				h.wait("open")
				body, err := open(ctx)
				return hangingBody{body, h}, err
			}
		}
		if e.Path == "body" {
			shown.Xattrs = func(context.Context) ([]export.Xattr, error) {
				h.wait("xattrs")
				return nil, nil
			}
		}
		return visit(&shown)
	})
}

type hangingBody struct {
	io.ReadCloser
	tree *hanging
}

// Read writes to p once it is let go on.
func (b hangingBody) Read(p []byte) (int, error) {
	b.tree.wait("read")
	return b.ReadCloser.Read(p)
}

func (b hangingBody) Close() error {
	b.tree.wait("close")
	return b.ReadCloser.Close()
}

// TestReadsThatHang ends Write and List at a read that does not return: the sink is
// aborted as ever, and what is read later changes nothing in it.
func TestReadsThatHang(t *testing.T) {
	t.Parallel()
	var rows sync.WaitGroup // each waits for as long as Write does
	for _, at := range []string{"walk", "xattrs", "open", "read", "close"} {
		for _, size := range []int{10, 5 << 20} {
			ends := []func(context.Context, *testing.T, export.Tree) error{toTar, toDirectory}
			if at == "walk" || at == "xattrs" {
				ends = append(ends, toList) // which opens nothing
			}
			for _, end := range ends {
				h := &hanging{Tree: bodyTree(size), at: at, begun: make(chan struct{}), answer: make(chan struct{})}
				rows.Go(func() { h.row(t, end) })
			}
		}
	}
	rows.Wait()
}

// row ends work on the tree once that hangs.
func (h *hanging) row(t *testing.T, end func(context.Context, *testing.T, export.Tree) error) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why, over := errors.New("ended by the test"), make(chan struct{})
	go func() {
		select {
		case <-h.begun:
			cancel(why)
		case <-over:
		}
	}()
	err := end(ctx, t, h)
	close(over)
	close(h.answer)
	var stalled *export.StalledError
	if !errors.As(err, &stalled) || !errors.Is(err, why) {
		t.Errorf("%s: error %v, want a StalledError of %q", h.at, err, why)
	}
}

func toTar(ctx context.Context, t *testing.T, tree export.Tree) error {
	var out bytes.Buffer
	_, err := export.Write(ctx, tree, export.NewTar(&out))
	if !bytes.Contains(out.Bytes(), []byte("not whole")) {
		t.Errorf("the %d bytes of the tar do not end as a failed export's", out.Len())
	}
	return err
}

func toDirectory(ctx context.Context, t *testing.T, tree export.Tree) error {
	name := t.TempDir()
	root, err := os.Open(name)
	must(t, err)
	dir, err := export.NewDir(root, export.DirOptions{NoSameOwner: true})
	must(t, err)
	_, err = export.Write(ctx, tree, dir)
	if left, listErr := os.ReadDir(name); listErr != nil || len(left) > 0 {
		t.Errorf("the directory holds %v, %v", left, listErr)
	}
	return err
}

func toList(ctx context.Context, t *testing.T, tree export.Tree) error {
	var ended sync.Mutex
	over := false
	_, err := export.List(ctx, tree, func(r *export.Record) error {
		ended.Lock()
		defer ended.Unlock()
		if over {
			t.Errorf("%q was visited when List had returned", r.Path)
		}
		return nil
	})
	ended.Lock()
	defer ended.Unlock()
	over = true
	return err
}
