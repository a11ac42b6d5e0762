package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/hangfs"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// hangWithin is how long a run may take to end whose files hang: it waits for three
// seconds, or twice that long where it writes a directory.
const hangWithin = 25 * time.Second

// hangTimeout is --timeout where that ends a run: it is to hang by then.
const hangTimeout = "3s"

// hangWorld is a daemon whose native snapshotter has everything on a file system that
// may hang, and further folders there.
type hangWorld struct {
	*daemon.Daemon
	files  *hangfs.FS
	layout string
	before daemon.Left
}

func newHangWorld(t *testing.T) *hangWorld {
	needsRoot(t)
	w := &hangWorld{layout: filepath.Join(t.TempDir(), "layout")}
	dir := daemon.NewDir(t)
	backing, at := filepath.Join(dir, "backing"), filepath.Join(dir, "files")
	content, err := imagetest.Build(smallName, hangImage(hangfs.Late))
	if err != nil {
		t.Fatal(err)
	}
	for _, layout := range slices.Concat([]string{w.layout}, hangNames("layout", hangfs.Stat, hangfs.Open, hangfs.Late, hangfs.Close),
		hangNames("key", hangfs.Open), hangNames("view", hangfs.Late), hangNames("output", hangfs.Late), failNames()) {
		if !filepath.IsAbs(layout) {
			layout = filepath.Join(backing, layout)
		}
		if err := content.WriteLayout(layout); err != nil {
			t.Fatal(err)
		}
	}
	// What hangs in a folder may hold up others there: each has one of its own.
	for _, folder := range append(hangNames("spool", hangfs.Create, hangfs.Write),
		"native", "files", "made", "written", "synced", "named", "removed", "new", "dir", "metadata", "metadata-dir", "images", "gc", "store") {
		if err := os.MkdirAll(filepath.Join(backing, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A store of which only a part hangs, behind its database.
	inside := filepath.Join(backing, "inside", "store")
	if err := os.MkdirAll(filepath.Join(inside, "hang-create-content"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("hang-create-content", filepath.Join(inside, "content")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hang-open-config", "hang-read-passwd", "hang-read-patterns", "hang-read-replacement"} {
		if err := os.WriteFile(filepath.Join(backing, "files", name), []byte("text\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	w.files = hangfs.Mount(t, backing, at, programs.ctrRootfs)
	w.Daemon = daemon.Start(t, daemon.Options{Dir: dir, Config: fmt.Sprintf(
		"[plugins.\"io.containerd.snapshotter.v1.native\"]\nroot_path = %q\n", filepath.Join(at, "native", "hang-sync"))})
	for _, op := range []string{hangfs.Stat, hangfs.Open, hangfs.Read, hangfs.Late, hangfs.List, hangfs.Xattr, hangfs.Symlink, hangfs.Close} {
		w.Ctr(t, "images", "import", "--local", "--snapshotter", "native", writeArchive(t, hangName(op), hangImage(op)))
	}
	failing := imagetest.Image{Layers: []imagetest.Layer{{imagetest.File("fail-io", 0o644, "text")}}}
	w.Ctr(t, "images", "import", "--local", "--snapshotter", "native", writeArchive(t, "example.com/fail:1", failing))
	w.before = w.Left(t, "default", "native")
	return w
}

// hangNames gives folders at which ops hang, each in a folder of its own.
func hangNames(kind string, ops ...string) (names []string) {
	for _, op := range ops {
		names = append(names, filepath.Join(kind+"-"+op, "hang-"+op))
	}
	return names
}

// failNames gives folders of which reading fails.
func failNames() (names []string) {
	for name := range hangfs.Failures {
		names = append(names, filepath.Join("layout-"+name, "fail-"+name))
	}
	return names
}

func hangName(op string) string { return "example.com/hang-" + op + ":1" }

// hangImage has a file, and then one at which op hangs.
func hangImage(op string) imagetest.Image {
	name := "hang-" + op
	last := imagetest.File(name, 0o644, "text").Xattr("user.x", "1")
	switch op {
	case hangfs.List:
		last = imagetest.Dir(name, 0o755)
	case hangfs.Symlink:
		last = imagetest.Symlink(name, "first")
	case hangfs.Late:
		last.Body = make([]byte, 8<<20)
	}
	return imagetest.Image{Compression: imagetest.Plain, Layers: []imagetest.Layer{{imagetest.File("first", 0o644, "first"), last}}}
}

// path gives the name of a file on the file system that may hang.
func (w *hangWorld) path(name string) string { return filepath.Join(w.files.Dir, name) }

// hanging is a run whose files hang.
type hanging struct {
	// args are the verb and its arguments, without an output.
	args []string
	// out is the output: empty for standard output, or a name in a folder of the
	// row's own.
	out string
	// by ends it: 0 for --timeout.
	by syscall.Signal
	// wants are parts of the error.
	wants []string
}

// TestFilesThatHang ends runs at a file system that does not answer, by a signal or by
// --timeout: with one line that names what hangs, in seconds, and with all undone that
// can be undone without that file system.
func TestFilesThatHang(t *testing.T) {
	t.Parallel()
	w := newHangWorld(t)
	view := func(verb, op string, flags ...string) []string {
		return append([]string{verb, "--address", w.Address, "--snapshotter", "native", hangName(op)}, flags...)
	}
	layout := func(verb, name string, flags ...string) []string {
		return append([]string{verb, "oci:" + name}, flags...)
	}
	native := `snapshotter "native"`
	rows := map[string]hanging{
		"stat":               {view("export", hangfs.Stat), "", 0, []string{native, "hang-stat", "fuse.hang"}},
		"open":               {view("export", hangfs.Open), "out.tar", syscall.SIGTERM, []string{native, "opening", "hang-open"}},
		"read":               {view("export", hangfs.Read), "dir", syscall.SIGINT, []string{native, "reading", "hang-read"}},
		"inside a body":      {view("export", hangfs.Late), "", syscall.SIGTERM, []string{native, "reading", "hang-late"}},
		"body, compressed":   {view("export", hangfs.Late, "--compress", "zstd"), "", 0, []string{"reading"}},
		"body, directory":    {view("export", hangfs.Late), "dir", 0, []string{"reading", "hang-late"}},
		"list":               {view("export", hangfs.List), "dir", 0, []string{native, "listing", "hang-list"}},
		"list, ls":           {view("ls", hangfs.List), "", syscall.SIGINT, []string{native, "listing", "hang-list"}},
		"xattr":              {view("export", hangfs.Xattr), "out.tar.gz", 0, []string{"xattrs of", "hang-xattr"}},
		"xattr, ls":          {view("ls", hangfs.Xattr, "--json"), "", 0, []string{"xattrs of", "hang-xattr"}},
		"symlink":            {view("bundle", hangfs.Symlink, "--", "/a"), "out.tar", syscall.SIGTERM, []string{"reading symlink", "hang-symlink"}},
		"close":              {view("export", hangfs.Close), "", 0, []string{"closing", "hang-close"}},
		"spec":               {view("spec", hangfs.Stat, "--user", "app", "--replace", "etc/passwd="+w.path("files/hang-read-passwd"), "--", "/a"), "", 0, []string{"hang-read-"}},
		"layout":             {layout("ls", w.path("layout-stat/hang-stat")), "", syscall.SIGTERM, []string{"hang-stat"}},
		"layout, open":       {layout("export", w.path("layout-open/hang-open")), "out.tar", 0, []string{"opening", "hang-open"}},
		"layout, inside":     {layout("export", w.path("layout-late/hang-late")), "", syscall.SIGINT, []string{"reading", "hang-late/blobs"}},
		"layout, view":       {layout("export", w.path("view-late/hang-late"), "--via", "view", "--store", filepath.Join(t.TempDir(), "store")), "out.tar", 0, []string{"reading", "hang-late/blobs"}},
		"layout, close":      {layout("export", w.path("layout-close/hang-close")), "dir", 0, []string{"closing", "hang-close"}},
		"key":                {layout("export", w.path("key-open/hang-open"), "--print-key"), "", 0, []string{"opening", "hang-open"}},
		"config":             {layout("bundle", w.layout, "--config", w.path("files/hang-open-config")), "out.tar", 0, []string{"bundling ", "hang-open-config"}},
		"patterns":           {layout("export", w.layout, "--exclude-from", w.path("files/hang-read-patterns")), "out.tar", syscall.SIGTERM, []string{"hang-read-"}},
		"replacement":        {layout("export", w.layout, "--replace", "a="+w.path("files/hang-read-replacement")), "out.tar", 0, []string{"reading", "hang-read-"}},
		"output, made":       {layout("export", w.layout, "-o", w.path("made/hang-create.tar")), "", 0, []string{"opening", "hang-create.tar"}},
		"output, written":    {layout("export", w.layout, "-o", w.path("written/hang-write.tar")), "", syscall.SIGTERM, []string{"writing", "hang-write.tar"}},
		"output, synced":     {layout("export", w.layout, "-o", w.path("synced/hang-sync.tar")), "", 0, []string{"syncing", "hang-sync.tar"}},
		"output, named":      {layout("export", w.layout, "-o", w.path("named/hang-rename.tar")), "", 0, []string{"--timeout", "it may appear still"}},
		"output, removed":    {layout("export", w.path("output-late/hang-late"), "-o", w.path("removed/hang-remove.tar")), "", 0, []string{"reading", "hang-late/blobs", "discarding the output"}},
		"directory, made":    {layout("export", w.layout, "--format", "dir", "-o", w.path("new/hang-create")), "", 0, []string{"making", "hang-create"}},
		"directory, written": {layout("export", w.layout, "--format", "dir", "-o", w.path("dir/hang-write")), "", syscall.SIGTERM, []string{"writing", "hang-write", "it stays"}},
		"metadata":           {layout("export", w.layout, "-o", "/dev/null", "--metadata-file", w.path("metadata/hang-create.json")), "", 0, []string{"opening", "hang-create.json"}},
		"metadata, folder":   {layout("export", w.layout, "--metadata-file", w.path("metadata-dir/hang-create.json")), "dir", 0, []string{"opening", "hang-create.json"}},
		"spool, made":        {view("export", hangfs.Stat, "--via", "layers", "--spool", w.path("spool-create/hang-create")), "out.tar", 0, []string{"hang-create"}},
		"spool, written":     {view("export", hangfs.Stat, "--via", "layers", "--spool", w.path("spool-write/hang-write")), "out.tar", 0, []string{"writing", "hang-write"}},
		"store":              {layout("export", w.layout, "--via", "view", "--store", w.path("store/hang-create-store")), "out.tar", 0, []string{"making", "hang-create-store"}},
		"store, inside":      {layout("export", w.layout, "--via", "view", "--store", w.path("inside/store")), "out.tar", 0, []string{"opening the embedded store", "inside/store/content"}},
		"store, images":      {[]string{"images", "--store", w.path("images/hang-stat-store")}, "", syscall.SIGTERM, []string{"hang-stat-store"}},
		"store, gc":          {[]string{"gc", "--store", w.path("gc/hang-stat-store")}, "", 0, []string{"hang-stat-store"}},
	}
	ends := w.runAll(t, rows)
	for name, h := range rows {
		t.Run(name, func(t *testing.T) { w.check(t, h, ends[name]) })
	}
	if left := w.Left(t, "default", "native").Since(w.before); left != "" {
		t.Errorf("left:\n%s", left)
	}
	t.Run("failures", w.fails)
	t.Run("view", w.viewHangs)
}

// check compares the end of h with what it has to be.
func (w *hangWorld) check(t *testing.T, h hanging, e *hangEnd) {
	t.Helper()
	want := 128 + int(h.by)
	if h.by == 0 {
		want = statusFailed
		h.wants = append(h.wants, "--timeout")
	}
	if e.killed || e.early {
		t.Errorf("it ended only when it was killed (%v), or before it hung (%v)", e.killed, e.early)
	}
	if got := e.ProcessState.ExitCode(); got != want {
		t.Errorf("exit status %d (%v), want %d", got, e.ProcessState, want)
	}
	checkError(t, e.stderr.String(), h.wants...)
	checkFolder(t, e.dir, "")
	if h.args[0] == "export" && e.stdout.Len() > 0 {
		refuseTar(t, e.stdout.Bytes())
	}
}

// fails has reads fail as they do where what is fetched from elsewhere does not come.
func (w *hangWorld) fails(t *testing.T) {
	for name, errno := range hangfs.Failures {
		layout := w.path(filepath.Join("layout-"+name, "fail-"+name))
		o := invocation{args: []string{"ls", "oci:" + layout}}.run(t)
		if o.status != statusFailed {
			t.Errorf("%s: exit status %d", name, o.status)
		}
		checkError(t, o.stderr, errno.Error(), "it lies on fuse.hang, which fetches files")
	}
	o := invocation{args: []string{"export", "--address", w.Address, "--snapshotter", "native", "-o", filepath.Join(t.TempDir(), "out.tar"), "example.com/fail:1"}}.run(t)
	if o.status != statusFailed {
		t.Errorf("exit status %d", o.status)
	}
	checkError(t, o.stderr, `"fail-io"`, "input/output error", `snapshotter "native" has it on fuse.hang`)
}

// viewHangs makes the daemon's snapshotter hang while it takes a view, as one does that
// asks a registry: this one syncs its database. The lease goes, and with it the view
// that the snapshotter makes later. One run at a time: once a collection waits for the
// snapshotter, other runs hang before they take a view.
func (w *hangWorld) viewHangs(t *testing.T) {
	others := "containerd"
	w.files.Others.Store(&others)
	args := []string{"export", "--address", w.Address, "--snapshotter", "native", hangName(hangfs.Open)}
	wants := []string{"taking a view of", `snapshotter "native"`}
	for name, h := range map[string]hanging{"timeout": {args, "out.tar", 0, wants}, "signal": {args, "out.tar", syscall.SIGTERM, wants}} {
		w.files.Hang()
		ends := w.runAll(t, map[string]hanging{name: h})
		t.Run(name, func(t *testing.T) { w.check(t, h, ends[name]) })
		for _, lease := range w.Left(t, "default", "native").Leases {
			if strings.HasPrefix(lease, "ctr-rootfs-") {
				t.Errorf("%s: it left the lease %q", name, lease)
			}
		}
		w.files.Answer()
		w.lateViewsGo(t, name)
	}
}

// lateViewsGo waits until what was made late is collected.
func (w *hangWorld) lateViewsGo(t *testing.T, name string) {
	t.Helper()
	var left string
	for range 50 {
		w.Collect(t)
		if left = w.Left(t, "default", "native").Since(w.before); left == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s: views that were made late are left:\n%s", name, left)
}
