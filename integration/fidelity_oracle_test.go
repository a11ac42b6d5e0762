package integration_test

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// unpackedByUmoci describes an image as umoci, which shares no code with
// containerd's unpacking, makes it of the layers.
func unpackedByUmoci(t *testing.T, image imagetest.Image) listing.Listing {
	t.Helper()
	bin, err := tools.Dir(context.Background(), "umoci")
	if err != nil {
		t.Fatal(err)
	}
	content, err := imagetest.Build("latest", image)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	layout, bundle := filepath.Join(dir, "layout"), filepath.Join(dir, "bundle")
	if err := content.WriteLayout(layout); err != nil {
		t.Fatal(err)
	}
	command(t, nil, filepath.Join(bin, "umoci"), "unpack", "--image", layout+":latest", bundle)
	l, err := listing.OfDir(filepath.Join(bundle, "rootfs"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// exportedArchive describes an image as a view of the embedded store shows it.
func exportedArchive(t *testing.T, image imagetest.Image) listing.Listing {
	t.Helper()
	return exportedVia(t, "view", image)
}

// exportedVia describes an image as it is exported through the embedded store.
func exportedVia(t *testing.T, via string, image imagetest.Image) listing.Listing {
	t.Helper()
	return readTar(t, ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--via", via,
		"oci-archive:"+writeArchive(t, "", image)).stdout)
}

// TestExportIsWhatTheLayersSay compares an export with what umoci makes of the
// same layers, entry by entry.
func TestExportIsWhatTheLayersSay(t *testing.T) {
	needsRoot(t)
	for name, test := range map[string]struct {
		image imagetest.Image
		// changed are the directories that a layer changes without naming
		// them: containerd gives them the time of the unpacking, umoci that of
		// the layer below where there is one.
		changed []string
	}{
		"standard": {standard(t), []string{"usr", "usr/share"}},
		"torture":  {imagetest.Torture(), []string{"layered", "links", "unnamed", "unnamed/by", "unnamed/by/any"}},
		"usr-etc":  {imagetest.UsrEtc(), nil},
		"no layer": {imagetest.Image{}, nil},
		"120":      {imagetest.ManyLayers(120), nil},
		"changes":  {imagetest.TortureChanges(), []string{"layered", "links", "unnamed", "unnamed/by", "unnamed/by/any"}},
		"again":    {imagetest.DirectoryAgain(), nil},
		"program":  {imagetest.OneProgram([]byte("program")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			compared := func(l listing.Listing) listing.Listing {
				return l.Edit(func(e *listing.Entry) bool {
					if slices.Contains(test.changed, e.Path) {
						e.Sec, e.Nsec = 0, 0
					}
					// umoci 0.6.0 drops extended attributes without a value.
					for name, value := range e.Xattrs {
						if value == "" {
							delete(e.Xattrs, name)
						}
					}
					return true
				})
			}
			want := compared(unpackedByUmoci(t, test.image))
			for _, via := range []string{"view", "layers"} {
				if diff := listing.Diff(want, compared(exportedVia(t, via, test.image))); diff != "" {
					t.Errorf("- umoci, + exported via %s:\n%s", via, diff)
				}
			}
			archive := writeArchive(t, "", test.image)
			reproducible := func(via string) []byte {
				return ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--reproducible", "--via", via, "oci-archive:"+archive).stdout
			}
			if !bytes.Equal(reproducible("view"), reproducible("layers")) {
				t.Errorf("--reproducible gives other bytes by view than by layers")
			}
		})
	}
}

// TestLostByUnpacking lists what the layers say and containerd's unpacking does
// not keep: no view has it, so an export through a view cannot have it, either.
// One that merges the layers has it, as umoci has.
func TestLostByUnpacking(t *testing.T) {
	needsRoot(t)
	const empty = " size=0 sha256=e3b0c44298fc1c14"
	const netRaw = ` "security.capability"="\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"`
	const withDefault = `"d" dir 0755 0:0 time=1614834367.000000000 "system.posix_acl_default"="\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff \x00\x04\x00\xff\xff\xff\xff"` + "\n" +
		`"d/f" file 0644 0:0` + empty + ` time=1614834367.000000000`
	const inherited = ` "system.posix_acl_access"="\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff \x00\x04\x00\xff\xff\xff\xff"`
	f := func(rest string) string { return `"f" file 0644 0:0` + empty + rest + "\n" }
	for _, lost := range imagetest.Lost() {
		want, listed := map[string]struct{ layers, view string }{
			// containerd sets such times as 0.
			"time before 1970": {f(" time=-2.500000000"), f(" time=0.000000000")},
			"time after 2262":  {f(" time=10413792000.000000000"), f(" time=0.000000000")},
			// It could make overlayfs hide or merge what it should not.
			"trusted xattr": {f(` time=1614834367.000000000 "trusted.t"="1"`), f(" time=1614834367.000000000")},
			// The root has no entry in an export.
			"root directory": {f(" time=1614834367.000000000"), f(" time=1614834367.000000000")},
			// The link's entry is chowned, which has Linux take the capability.
			"capability before a link": {
				`"f" file 0755 0:0` + empty + ` time=1614834367.000000000 group="f"` + netRaw + "\n" +
					`"g" file 0755 0:0` + empty + ` time=1614834367.000000000 group="f"` + netRaw + "\n",
				`"f" file 0755 0:0` + empty + ` time=1614834367.000000000 group="f"` + "\n" +
					`"g" file 0755 0:0` + empty + ` time=1614834367.000000000 group="f"` + "\n",
			},
			// Linux gives a new file the ACL, and containerd does not take it.
			"below a default ACL": {withDefault + "\n", withDefault + inherited + "\n"},
			// Marks of the lowest layer are to hide nothing; containerd carries them
			// out on what it has unpacked of that same layer.
			"whiteout after its name in the lowest layer": {f(" time=1614834367.000000000"), ""},
			"opaque mark after an unnamed directory in the lowest layer": {
				`"d" dir 0755 0:0 time=1614834367.000000000` + "\n" + `"d/e" dir 0755 0:0 time=0.000000000` + "\n" + `"d/e/f" file 0644 0:0` + empty + " time=1614834367.000000000\n",
				`"d" dir 0755 0:0 time=1614834367.000000000` + "\n",
			},
			// overlayfs has no mark for it.
			"opaque root": {
				`"g" file 0644 0:0` + empty + " time=1614834367.000000000\n",
				f(" time=1614834367.000000000") + `"g" file 0644 0:0` + empty + " time=1614834367.000000000\n",
			},
		}[lost.Name]
		if !listed {
			t.Errorf("%s: the test does not say what is lost", lost.Name)
		}
		t.Run(lost.Name, func(t *testing.T) {
			for via, want := range map[string]string{"view": want.view, "layers": want.layers} {
				if got := exportedVia(t, via, lost.Image).String(); got != want {
					t.Errorf("exported via %s:\n%swant:\n%s", via, got, want)
				}
			}
			// umoci 0.6.0 cannot set the time: it makes 1901 of it. Of directories
			// that nothing names, and below opaque marks, it keeps none.
			got, same := unpackedByUmoci(t, lost.Image).String(), want.layers
			if strings.Contains(lost.Name, "opaque mark") {
				got, same = directoryTimes.ReplaceAllString(got, "$1"), directoryTimes.ReplaceAllString(same, "$1")
			}
			if lost.Name != "time after 2262" && got != same {
				t.Errorf("umoci makes of the layers:\n%swant:\n%s", got, same)
			}
		})
	}
}

var directoryTimes = regexp.MustCompile(`( dir .*) time=\S+`)

// TestTooLargeXattrs exports an image with more attributes on a file than a
// header may hold, which containerd does not unpack.
func TestTooLargeXattrs(t *testing.T) {
	needsRoot(t)
	folder := t.TempDir()
	badInput{args: []string{
		"export", "--store", filepath.Join(t.TempDir(), "store"), "--via", "view", "-o", filepath.Join(folder, "out.tar"),
		"oci-archive:" + writeArchive(t, "", imagetest.LargeXattrs()),
	}, status: statusFailed, wants: []string{"image.tar"}}.check(t, folder)
}
