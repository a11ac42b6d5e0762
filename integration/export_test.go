package integration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// reader is a tar reader that is not ours.
type reader struct {
	name string
	args []string
	// losses are what the reader is known not to restore, each with its reason.
	losses []loss
}

type loss struct {
	reason string
	// lose takes from an entry what the reader loses, and says whether the
	// entry is there at all.
	lose func(*listing.Entry) bool
}

// readers extract standard input into the directory that follows args.
func readers() []reader {
	return []reader{
		{name: "tar", args: []string{"-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C"}},
		{name: "bsdtar", args: []string{"-x", "-p", "--numeric-owner", "--xattrs", "-f", "-", "-C"}, losses: []loss{
			{"bsdtar percent-decodes no xattr name", func(e *listing.Entry) bool {
				renamed := map[string]string{}
				for name, value := range e.Xattrs {
					renamed[strings.NewReplacer("%", "%25", "=", "%3D").Replace(name)] = value
				}
				e.Xattrs = renamed
				return true
			}},
			{"bsdtar drops ACLs that are written as xattrs", func(e *listing.Entry) bool {
				delete(e.Xattrs, "system.posix_acl_access")
				delete(e.Xattrs, "system.posix_acl_default")
				return true
			}},
		}},
	}
}

// TestExportIsTheView compares an export with the view that containerd itself
// mounts: the tar as it stands, and as others extract it.
func TestExportIsTheView(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	images := map[string]imagetest.Image{
		"standard": standard(t), "usr-etc": imagetest.UsrEtc(), "torture": imagetest.Torture(), "layers": imagetest.ManyLayers(120),
	}
	for name, image := range images {
		t.Run(name, func(t *testing.T) {
			ref := "example.com/" + name + ":1"
			d.Ctr(t, "images", "import", writeArchive(t, ref, image))
			want := mountedView(t, d, ref)
			before := d.Left(t, "default", "overlayfs")
			data := ctrRootfs(t, "export", "--address", d.Address, "--profile", "none", ref).stdout
			if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
				t.Errorf("the export left:\n%s", left)
			}
			if diff := listing.Diff(want, readTar(t, data)); diff != "" {
				t.Fatalf("- view, + tar:\n%s", diff)
			}
			for _, r := range readers() {
				t.Run(r.name, func(t *testing.T) { compareExtracted(t, r, data, want) })
			}
		})
	}
}

// compareExtracted has a reader extract the tar into an empty directory.
func compareExtracted(t *testing.T, r reader, data []byte, want listing.Listing) {
	t.Helper()
	dir := t.TempDir()
	command(t, data, r.name, append(r.args, dir)...)
	got, err := listing.OfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.losses {
		want = want.Edit(l.lose)
	}
	if diff := listing.Diff(want.Regroup(), got); diff != "" {
		t.Errorf("- view, + extracted by %s:\n%s", r.name, diff)
	}
}

// TestMobyProfile is a golden listing of what the moby tool's profile makes of
// images: names, types, and the replaced files' content. One of them has
// etc/hosts as a directory and etc/resolv.conf as a symlink to nothing.
func TestMobyProfile(t *testing.T) {
	needsRoot(t)
	for name, image := range map[string]imagetest.Image{
		"standard": standard(t), "usr-etc": imagetest.UsrEtc(), "changes": imagetest.TortureChanges(),
	} {
		t.Run(name, func(t *testing.T) {
			data := ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--prefix", "root/fs",
				"--reproducible", "oci-archive:"+writeArchive(t, "", image)).stdout
			l := readTar(t, data).Edit(func(e *listing.Entry) bool {
				if strings.HasSuffix(e.Path, "usr/bin/hello") {
					e.Size, e.SHA256 = 0, "differs-with-the-compiler"
				}
				return true
			})
			want, err := os.ReadFile("testdata/moby-" + name + ".txt")
			if os.Getenv("UPDATE") != "" {
				err = os.WriteFile("testdata/moby-"+name+".txt", []byte(l.String()), 0o644)
				want = []byte(l.String())
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.String() != string(want) {
				t.Errorf("got (UPDATE=1 rewrites the golden listing):\n%s\nwant:\n%s", l, want)
			}
		})
	}
}
