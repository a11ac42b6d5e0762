package export_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

func writeTar(t *testing.T, tree export.Tree) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := export.Write(t.Context(), exporttest.Validate(tree), export.NewTar(&b)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hardEntries are what a header can hardly hold.
func hardEntries() []*export.Entry {
	long := strings.Repeat("n", 150)
	tree := []*export.Entry{
		exporttest.File("a%=", "1"), exporttest.File("new\nline", "22"), exporttest.File("ünï", "333"),
		exporttest.File("bytes\xff\xfe", "4444"), exporttest.Dir(long), exporttest.Dir(long + "/" + long),
		exporttest.Link("long", strings.Repeat("t", 4000)), exporttest.Link("odd", "t\xff"), exporttest.Dir(strings.Repeat("d", 99)),
		exporttest.Dir(strings.Repeat("e", 100)), exporttest.Node("fifo", export.FIFO), exporttest.Node("dev", export.BlockDevice),
		exporttest.File("early", ""), exporttest.File("late", ""), exporttest.File("nano", ""),
		exporttest.Dir("s"), exporttest.File("s/"+strings.Repeat("f", 99), ""), exporttest.File(long+"/"+long+"/\xff", "5"),
	}
	for _, e := range tree {
		e.MTime = time.Unix(1_700_000_000, 0)
		switch e.Path {
		case "a%=":
			e.UID, e.GID, e.Mode = 1<<21+1, 1<<32-2, 0o7777
			exporttest.WithXattrs(e, export.Xattr{Name: "user.%a=b\n", Value: []byte("=\x00\n")}, export.Xattr{Name: "user.empty"})
		case "dev":
			e.RdevMajor, e.RdevMinor = 4095, 1<<20-1
		case "early":
			e.MTime = time.Unix(-2, 500)
		case "late":
			e.MTime = time.Unix(1<<34, 0)
		case "nano":
			e.MTime = time.Unix(5, 123456780)
		}
	}
	return tree
}

func TestTarReadBackByGo(t *testing.T) {
	entries := map[string]*export.Entry{}
	for _, e := range hardEntries() {
		entries[e.Path] = e
	}
	data := writeTar(t, exporttest.New(hardEntries()...))
	if tail := data[len(data)-1024:]; !bytes.Equal(tail, make([]byte, 1024)) {
		t.Error("the archive does not end in two zero blocks")
	}
	if again := writeTar(t, exporttest.New(hardEntries()...)); !bytes.Equal(data, again) {
		t.Error("the same tree gives other bytes")
	}
	r := tar.NewReader(bytes.NewReader(data))
	for range entries {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		e := entries[strings.TrimSuffix(h.Name, "/")]
		if e == nil {
			t.Errorf("unknown name %q", h.Name)
			continue
		}
		got := fmt.Sprint(h.Mode, h.Uid, h.Gid, h.Size, h.Linkname, h.Devmajor, h.Devminor, h.ModTime.UTC())
		want := fmt.Sprint(e.Mode, e.UID, e.GID, e.Size, e.Target, e.RdevMajor, e.RdevMinor, e.MTime.UTC())
		if got != want {
			t.Errorf("%.20q: got %.200q\nwant %.200q", e.Path, got, want)
		}
		if (h.Typeflag == tar.TypeDir) != strings.HasSuffix(h.Name, "/") {
			t.Errorf("%.20q: type %c", h.Name, h.Typeflag)
		}
		if body, err := io.ReadAll(r); err != nil || int64(len(body)) != e.Size {
			t.Errorf("%.20q: %d bytes, %v", e.Path, len(body), err)
		}
		if e.Path == "a%=" && h.PAXRecords["SCHILY.xattr.user.%25a%3Db\n"] != "=\x00\n" {
			t.Errorf("records of %q: %q", e.Path, h.PAXRecords)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last entry: %v", err)
	}
}

// TestFarthestTimes has seconds that 64 bits just hold.
func TestFarthestTimes(t *testing.T) {
	for _, mtime := range []time.Time{time.Unix(math.MinInt64, 0), time.Unix(math.MinInt64, 1), time.Unix(math.MaxInt64, 999_999_999)} {
		e := exporttest.File(fmt.Sprint(mtime.Unix(), mtime.Nanosecond()), "")
		e.MTime = mtime
		checkReadByGo(t, e, writeTar(t, exporttest.New(e)))
	}
}

func TestTarRefusesTooManyXattrs(t *testing.T) {
	var attrs []export.Xattr
	for i := range 40 {
		attrs = append(attrs, export.Xattr{Name: fmt.Sprintf("user.%02d", i), Value: make([]byte, 30<<10)})
	}
	tree := exporttest.New(exporttest.WithXattrs(exporttest.File("big", ""), attrs...))
	var b bytes.Buffer
	_, err := export.Write(t.Context(), tree, export.NewTar(&b))
	if err == nil || !strings.Contains(err.Error(), `"big"`) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

// wrongSize is a file whose body is not as long as it says.
func wrongSize(size int64, content string) *export.Entry {
	e := exporttest.File("wrong", content)
	e.Size = size
	return e
}

func TestChangedFileIsAnError(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	for _, e := range []*export.Entry{
		wrongSize(3, "1234"), wrongSize(5, "1234"), wrongSize(512, "1"), wrongSize(2<<20-1, big), wrongSize(2<<20+1, big),
	} {
		var b bytes.Buffer
		_, err := export.Write(t.Context(), exporttest.New(exporttest.File("a", "a"), e), export.NewTar(&b))
		if err == nil || !strings.Contains(err.Error(), `"wrong": it changed while it was read`) {
			t.Errorf("size %d: got %v", e.Size, err)
		}
		checkPoisoned(t, b.Bytes(), fmt.Sprintf("a body that is not of size %d", e.Size))
	}
}

// checkPoisoned asserts that every reader fails on a failed archive.
func checkPoisoned(t *testing.T, data []byte, what string) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(data))
	_, err := r.Next()
	for err == nil {
		_, err = r.Next()
	}
	if err == io.EOF {
		t.Errorf("%s: Go takes it for a whole archive", what)
	}
	for _, reader := range []string{"tar -tf -", "bsdtar -tf -", "busybox tar -tf -"} {
		args := strings.Fields(reader)
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Logf("NOT TESTED with %s: it is not installed", args[0])
			continue
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Stdin = bytes.NewReader(data)
		if err := cmd.Run(); err == nil {
			t.Errorf("%s: %s takes it for a whole archive", what, reader)
		}
	}
}

func TestAbortedTarIsNoArchive(t *testing.T) {
	file := exporttest.File("f", "x")
	for _, c := range []struct {
		name       string
		size, have int64 // of a last file, whose body ends early; none for 0
		whole      int   // files before it
	}{
		{"empty", 0, 0, 0}, {"after one file", 0, 0, 1}, {"after a thousand", 0, 0, 1000},
		{"at a body's start", 512, 0, 1}, {"in a short body", 600, 550, 1}, {"in a block", 1000, 512, 1},
		{"in the padding's block", 1024, 1000, 0}, {"in a long body", 1 << 20, 4096, 0},
	} {
		var b bytes.Buffer
		sink := export.NewTar(&b)
		for i := range c.whole {
			e := *file
			e.Path = fmt.Sprintf("f%04d", i)
			if err := sink.Put(t.Context(), &export.Record{Entry: &e, Body: strings.NewReader("x")}); err != nil {
				t.Fatal(err)
			}
		}
		if c.size > 0 {
			body := strings.NewReader(strings.Repeat("y", int(c.have)))
			if err := sink.Put(t.Context(), &export.Record{Entry: wrongSize(c.size, "x"), Body: body}); err == nil {
				t.Errorf("%s: a short body is taken", c.name)
			}
		}
		if err := sink.Abort(); err != nil {
			t.Fatal(err)
		}
		checkPoisoned(t, b.Bytes(), c.name)
	}
}

// endless writes as much as is wanted, and cancels after a while.
type endless struct{ cancel context.CancelFunc }

func (e endless) Read(p []byte) (int, error) { e.cancel(); return len(p), nil }
func (e endless) Close() error               { return nil }

func TestWriteStopsInsideALargeFile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := exporttest.File("huge", "x")
	e.Size = 9 << 30
	e.Open = func(context.Context) (io.ReadCloser, error) { return endless{cancel}, nil }
	start := time.Now()
	report, err := export.Write(ctx, exporttest.New(e), export.NewTar(io.Discard))
	if !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
	if report.Entries() != 0 {
		t.Errorf("the report counts %d entries", report.Entries())
	}
}

func TestSocketsAreCounted(t *testing.T) {
	var entries []*export.Entry
	for i := range 150 {
		entries = append(entries, exporttest.HardLinked(exporttest.Node(fmt.Sprintf("s%03d", i), export.Socket), 1, 1))
	}
	var s exporttest.Recorder
	report, err := export.Write(t.Context(), exporttest.New(append(entries, exporttest.Dir("t"))...), &s)
	if err != nil || report.SocketCount != 150 || len(report.Sockets) != 100 || report.Entries() != 1 || s.Closed != 1 || s.Aborted != 0 {
		t.Errorf("report %+v, error %v, lines %q", report, err, s.Lines)
	}
}
