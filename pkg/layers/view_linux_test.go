package layers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/archive"
	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
)

// TestSameAsView compares with what containerd's own unpacking and the kernel's
// overlayfs make of the same layers: the view's oracle.
func TestSameAsView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners and devices, and mounting an overlay, need root")
	}
	for _, seed := range seeds(300) {
		layers := randomImage(seed, asContainerd)
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { compareWithView(t, layers) }) {
			t.Fatalf("the image of seed %d (again: -layers.seed=%d):\n%s", seed, seed, script(layers))
		}
	}
}

// TestACLsAsView: the mode and an access control list say the same to Linux,
// whatever a layer says.
func TestACLsAsView(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners, and mounting an overlay, need root")
	}
	const (
		userObj = "\x01\x00\x07\x00\xff\xff\xff\xff"
		user    = "\x02\x00\x05\x00\xe8\x03\x00\x00"
		group   = "\x04\x00\x07\x00\xff\xff\xff\xff"
		mask    = "\x10\x00\x07\x00\xff\xff\xff\xff"
		other   = "\x20\x00\x07\x00\xff\xff\xff\xff"
		head    = "\x02\x00\x00\x00"
		full    = head + userObj + user + group + mask + other
		minimal = head + userObj + group + other
	)
	// Only users and groups have an id.
	ids := strings.ReplaceAll(full, "\xff\xff\xff\xff", "\x07\x00\x00\x00")
	compareWithView(t, []layer{
		{
			file("full", "1").xattr(aclAccess, full), file("minimal", "2").xattr(aclAccess, minimal), file("head", "3").xattr(aclAccess, head),
			dir("d", 0o711).xattr(aclAccess, full).xattr("user.a", "1"), fifo("p").xattr(aclAccess, full), symlink("s", "full").xattr(aclAccess, full),
			dir("default", 0o700).xattr(aclDefault, minimal), file("linked", "4").xattr(aclAccess, full), link("link", "linked").own(1, 1),
			file("unknown", "5").xattr("system.other", "6"), file("ids", "7").xattr(aclAccess, ids), dir("ids-default", 0o755).xattr(aclAccess, ids).xattr(aclDefault, ids),
			file("empty", "8").xattr(aclAccess, "").xattr(aclDefault, ""), dir("empty-default", 0o755).xattr(aclAccess, "").xattr(aclDefault, ""),
			dir("head-default", 0o755).xattr(aclDefault, head), file("head-file", "9").xattr(aclDefault, head), symlink("empty-symlink", "full").xattr(aclDefault, ""),
			dir("twice", 0o755).xattr(aclAccess, full).xattr(aclDefault, full), dir("twice", 0o755).xattr(aclAccess, minimal).xattr(aclDefault, head),
			file("unlinked", "10").xattr(aclAccess, full), link("unlink", "unlinked").xattr(aclAccess, ""),
			dir("kept", 0o755).xattr(aclAccess, full).xattr(aclDefault, full), dir("taken", 0o755).xattr(aclAccess, full).xattr(aclDefault, full),
		},
		{
			file("d/f", ""), dir("d", 0o750),
			file("kept/f", "").xattr(aclAccess, ""), dir("kept", 0o700), file("taken/f", "").xattr(aclAccess, ""), dir("taken", 0o700).xattr(aclAccess, minimal).xattr(aclDefault, ""),
		},
	})
}

func compareWithView(t *testing.T, layers []layer) {
	tars := tarsOf(layers)
	view, err := unpackView(t, tars)
	if err != nil {
		t.Fatalf("containerd unpacks it not: %v", err)
	}
	defer closing(t, view)
	tree, err := openImage(t, Options{}, tars...)
	if err != nil {
		t.Fatal(err)
	}
	compareTrees(t, tree, view)
}

// compareTrees clamps times: directories that no layer names have the time of
// unpacking in a view, and the clamp's here.
func compareTrees(t *testing.T, tree, view export.Tree) {
	t.Helper()
	got, want := list(t, export.Clamp(tree, impliedTime)), list(t, export.Clamp(view, impliedTime))
	if got != want {
		t.Errorf("layers (got) and view (want) differ:\n%s", differences(got, want))
	}
}

// unpackView applies each layer into a directory of its own, as containerd does
// for its overlayfs snapshotter, and mounts them over each other, in no mount
// namespace.
func unpackView(t *testing.T, tars [][]byte) (export.Tree, error) {
	t.Helper()
	lower, err := unpackLayers(t, tars)
	if err != nil {
		return nil, err
	}
	return viewOf(t, lower)
}

// unpackLayers gives the layers' directories, the nearest first.
func unpackLayers(t *testing.T, tars [][]byte) (lower []string, err error) {
	t.Helper()
	top := t.TempDir()
	for i, content := range tars {
		dir := filepath.Join(top, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		var opts []archive.ApplyOpt
		if i > 0 { // the lowest layer's mount is no overlay
			opts = append(opts, archive.WithConvertWhiteout(archive.OverlayConvertWhiteout), archive.WithParents(lower))
		}
		if _, err := archive.Apply(t.Context(), dir, bytes.NewReader(content), opts...); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		lower = append([]string{dir}, lower...)
	}
	return lower, nil
}

func viewOf(t *testing.T, lower []string) (export.Tree, error) {
	t.Helper()
	if len(lower) < 2 {
		// An overlay has at least two lower directories.
		lower = append(slices.Clone(lower), t.TempDir())
	}
	root, err := mountOverlay(lower)
	if err != nil {
		return nil, err
	}
	return export.NewDirTree(root), nil
}

func mountOverlay(lower []string) (*os.File, error) {
	overlay, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening overlayfs: %w", err)
	}
	defer unix.Close(overlay)
	for _, dir := range lower {
		if err := unix.FsconfigSetString(overlay, "lowerdir+", dir); err != nil {
			return nil, fmt.Errorf("adding %q: %w", dir, err)
		}
	}
	if err := unix.FsconfigCreate(overlay); err != nil {
		return nil, fmt.Errorf("creating an overlay: %w", err)
	}
	root, err := unix.Fsmount(overlay, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("mounting an overlay: %w", err)
	}
	return os.NewFile(uintptr(root), "view"), nil
}

// TestLossesOfViews is the closed list of what a view has not, case by case:
// each has to differ, and as it is written here, or the list is out of date.
func TestLossesOfViews(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: unpacking owners and devices, and mounting an overlay, need root")
	}
	const acl = "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x07\x00\xe8\x03\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff"
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		name   string
		layers []layer
		want   string // of the differences, layers being "got"
	}{
		{"a time before 1970", []layer{{file("f", "").at(-2, 0)}}, lines(`  got  f0644 "f" @-2.000000000`, `  want f0644 "f" @0.000000000`)},
		{"a time after 2262", []layer{{file("f", "").at(1<<34, 0)}}, lines(`  got  f0644 "f" @17179869184.000000000`, `  want f0644 "f" @0.000000000`)},
		{"a trusted xattr", []layer{{file("f", "").xattr("trusted.t", "1")}}, lines(`  got  f0644 "f" {"trusted.t"="1"}`, `  want f0644 "f"`)},
		{
			"a capability before a link", []layer{{file("f", "").xattr("security.capability", capability), link("g", "f")}},
			lines(
				`  got  f0644 "f" {"security.capability"="\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}`,
				`  got  f0644 "g" {"security.capability"="\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} => f`,
				`  want f0644 "f"`, `  want f0644 "g" => f`),
		},
		{
			"an opaque root", []layer{{file("f", "")}, {file(".wh..wh..opq", ""), file("g", "")}},
			lines(`  want f0644 "f"`),
		},
		{
			"a whiteout before a directory of its name", []layer{{dir("d", 0o755), file("d/old", "")}, {file(".wh.d", ""), dir("d", 0o755), file("d/new", "")}},
			lines(`  want f0644 "d/old"`),
		},
		{
			"a whiteout after its name in the lowest layer", []layer{{file("f", ""), file(".wh.f", "")}},
			lines(`  got  f0644 "f"`),
		},
		{
			"an opaque mark after an unnamed directory in the lowest layer", []layer{{dir("d", 0o755), file("d/e/f", ""), file("d/g", ""), opaque("d")}},
			lines(`  got  d0755 "d/e" implied`, `  got  f0644 "d/e/f"`),
		},
		{
			"a 0:0 device, which overlayfs takes for a whiteout", []layer{{file("f", "")}, {device("f", 0, 0)}},
			lines(`  got  c0600 "f" 0,0`),
		},
		{
			"a device number over 4095:1048575, of which Linux takes the lower bits", []layer{{device("f", 4097, 1<<20+3)}},
			lines(`  got  c0600 "f" 4097,1048579`, `  want c0600 "f" 1,3`),
		},
		{
			"what lies in directories of AUFS's own",
			[]layer{{file("f", "")}, {dir(".wh..wh.plnk", 0o700), file(".wh..wh.plnk/1.2", ""), file(".wh..wh..opq/g", "")}},
			lines(`  want d0755 ".wh..wh..opq" implied`, `  want f0644 ".wh..wh..opq/g"`, `  want d0755 ".wh..wh.plnk" implied`, `  want f0644 ".wh..wh.plnk/1.2"`),
		},
		{
			"a directory's time on what replaces it in its own layer", []layer{{dir("d", 0o755).at(1, 0), file("d", "").at(2, 0)}},
			lines(`  got  f0644 "d" @2.000000000`, `  want f0644 "d" @1.000000000`),
		},
		{
			"a global header's name makes its directories", []layer{{globalHeader("tmp/GlobalHead.1.1"), file("f", "")}},
			lines(`  want d0755 "tmp" implied`),
		},
		{
			"a default ACL is inherited", []layer{{dir("d", 0o755).xattr("system.posix_acl_default", acl), file("d/f", "")}},
			lines(`  got  f0644 "d/f"`, `  want f0644 "d/f" {"system.posix_acl_access"="\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\a\x00\xe8\x03\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff \x00\x04\x00\xff\xff\xff\xff"}`),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tars := tarsOf(c.layers)
			view, err := unpackView(t, tars)
			if err != nil {
				t.Fatal(err)
			}
			defer closing(t, view)
			tree, err := openImage(t, Options{}, tars...)
			if err != nil {
				t.Fatal(err)
			}
			got := differences(list(t, tree), list(t, sinceImplied{view}))
			if got != c.want {
				t.Errorf("layers (got) and view (want) differ by\n%sinstead of\n%s", got, c.want)
			}
		})
	}
}

// sinceImplied shows the times of unpacking as the tests' implied time, and
// others as they are.
type sinceImplied struct{ export.Tree }

func (t sinceImplied) Walk(ctx context.Context, visit func(*export.Entry) error) error {
	return t.Tree.Walk(ctx, func(e *export.Entry) error {
		shown := *e
		if time.Since(e.MTime).Abs() < time.Hour {
			shown.MTime = impliedTime
		}
		return visit(&shown)
	})
}
