package listing_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// layer has one of everything, in walk order.
var layer = imagetest.Layer{
	imagetest.Dir("a", 0o1777).Own(1, 2).Xattr("user.d", "1"),
	imagetest.File("a/b", 0o4755, "body").Xattr("user.a%b", "\x00\xff"),
	imagetest.FIFO("a/fifo", 0o600),
	imagetest.Link("a-b", "a/b"),
	imagetest.Char("c", 0o600, 5, 1),
	imagetest.Symlink("link", "a/../../b"),
	imagetest.File("new\nline\xff", 0, ""),
}

// TestTarAndDirectoryAgree has GNU tar extract a layer, and compares the
// description of the directory with that of the tar.
func TestTarAndDirectoryAgree(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root: extracts owners and a device")
	}
	dir := t.TempDir()
	cmd := exec.Command("tar", "-x", "--xattrs", "--xattrs-include=*", "-C", dir)
	cmd.Stdin = bytes.NewReader(layer.Tar())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar -x: %v\n%s", err, out)
	}
	fromTar, err := listing.OfTar(bytes.NewReader(layer.Tar()))
	if err != nil {
		t.Fatal(err)
	}
	fromDir, err := listing.OfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := listing.Diff(fromTar, fromDir); diff != "" {
		t.Errorf("- tar, + directory:\n%s", diff)
	}
}

func TestOfTarGolden(t *testing.T) {
	l, err := listing.OfTar(bytes.NewReader(layer.Tar()))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/layer.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := l.String(); got != string(want) {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestOfTarRefuses(t *testing.T) {
	f, dir := imagetest.File("f", 0o644, ""), imagetest.Dir("d", 0o755)
	tests := map[string]struct {
		layer imagetest.Layer
		want  string
	}{
		"twice":            {imagetest.Layer{f, f}, "twice"},
		"order":            {imagetest.Layer{f, dir}, `after "f"`},
		"no directory":     {imagetest.Layer{imagetest.File("d/f", 0o644, "")}, "no entry before"},
		"link to nothing":  {imagetest.Layer{f, imagetest.Link("g", "h")}, `links to "h"`},
		"absolute":         {imagetest.Layer{imagetest.File("/f", 0o644, "")}, "relative"},
		"dot":              {imagetest.Layer{imagetest.File("./f", 0o644, "")}, "relative"},
		"slash of a file":  {imagetest.Layer{{Name: "l/", Typeflag: '2', Target: "x"}}, "slash"},
		"file as a parent": {imagetest.Layer{f, imagetest.File("f/g", 0o644, "")}, "no entry before"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := listing.OfTar(bytes.NewReader(test.layer.Tar()))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestCheckEnd(t *testing.T) {
	whole := layer.Tar()
	for name, test := range map[string]struct {
		data []byte
		ok   bool
	}{
		"whole": {whole, true}, "cut between entries": {whole[:len(whole)-1024], false}, "one block": {whole[:len(whole)-512], false},
		"in a block": {whole[:len(whole)-1], false}, "padded": {append(bytes.Clone(whole), make([]byte, 512)...), false},
	} {
		if err := listing.CheckEnd(test.data); (err == nil) != test.ok {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

func TestDiffAndRegroup(t *testing.T) {
	all, err := listing.OfTar(bytes.NewReader(layer.Tar()))
	if err != nil {
		t.Fatal(err)
	}
	without := all.Edit(func(e *listing.Entry) bool { return e.Path != "a/b" })
	if got := listing.Diff(all, without); !strings.HasPrefix(got, `- "a/b" file 4755`) || strings.Contains(got, "\n") {
		t.Errorf("one entry left out gives %q", got)
	}
	for _, e := range without.Regroup() {
		if e.Group != "" {
			t.Errorf("%q is still in group %q", e.Path, e.Group)
		}
	}
}
