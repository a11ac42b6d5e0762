package integration_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
)

// metadataCounts is the part of --metadata-file that can be counted in a tar.
type metadataCounts struct {
	RegularFiles, Directories, Symlinks, HardLinks, CharDevices, BlockDevices, FIFOs, Bytes, SocketCount int64
}

// countedMetadata is the part of --metadata-file that these tests look at.
type countedMetadata struct {
	Entries metadataCounts
	Output  struct {
		Size   int64
		SHA256 string
	}
	LeftOut []struct {
		Path, Config string
		Count        int64
		Why          string
	}
}

func readCounts(t *testing.T, path string) countedMetadata {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m countedMetadata
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("parsing %s: %v", text, err)
	}
	return m
}

// countTar counts what Go's reader finds in a tar.
func countTar(t *testing.T, data []byte) (c metadataCounts) {
	t.Helper()
	in := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Bytes += h.Size
		of := map[byte]*int64{
			tar.TypeReg: &c.RegularFiles, tar.TypeDir: &c.Directories, tar.TypeSymlink: &c.Symlinks, tar.TypeLink: &c.HardLinks,
			tar.TypeChar: &c.CharDevices, tar.TypeBlock: &c.BlockDevices, tar.TypeFifo: &c.FIFOs,
		}[h.Typeflag]
		if of == nil {
			t.Fatalf("%q has the type %q", h.Name, h.Typeflag)
		}
		*of++
	}
}

// listed reads ls --json as a listing without digests.
func listed(t *testing.T, output []byte) listing.Listing {
	t.Helper()
	var l listing.Listing
	at := map[string]int{}
	for line := range bytes.Lines(output) {
		e, linkTo := listedEntry(t, line)
		if linkTo != "" {
			first := &l[at[linkTo]]
			if e.Mode != first.Mode || e.UID != first.UID || e.GID != first.GID || e.Type != first.Type || e.Sec != first.Sec {
				t.Errorf("%s is listed otherwise than the first name of its inode, %s", e, first)
			}
			first.Group = linkTo
			path := e.Path
			e = *first
			e.Path = path
		}
		at[e.Path] = len(l)
		l = append(l, e)
	}
	return l.Regroup()
}

func listedEntry(t *testing.T, line []byte) (e listing.Entry, linkTo string) {
	t.Helper()
	var v struct {
		Path, Target, LinkTo, Type, Mode, MTime string
		PathBytes, TargetBytes, LinkToBytes     []byte
		UID, GID                                uint32
		Size                                    int64
		Major, Minor                            *uint32
		Xattrs                                  []struct {
			Name             string
			NameBytes, Value []byte
		}
	}
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatalf("parsing %q: %v", line, err)
	}
	either := func(text string, exact []byte) string {
		if exact != nil {
			return string(exact)
		}
		return text
	}
	if v.Type == "directory" {
		v.Type = "dir"
	}
	mtime, err := time.Parse(time.RFC3339Nano, v.MTime)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	e = listing.Entry{
		Path: either(v.Path, v.PathBytes), Target: either(v.Target, v.TargetBytes), Type: v.Type,
		UID: v.UID, GID: v.GID, Size: v.Size, Sec: mtime.Unix(), Nsec: int64(mtime.Nanosecond()),
	}
	if _, err := fmt.Sscanf(v.Mode, "%o", &e.Mode); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if v.Major != nil && v.Minor != nil {
		e.Device = fmt.Sprintf("%d,%d", *v.Major, *v.Minor)
	}
	for _, x := range v.Xattrs {
		if e.Xattrs == nil {
			e.Xattrs = map[string]string{}
		}
		e.Xattrs[either(x.Name, x.NameBytes)] = string(x.Value)
	}
	return e, either(v.LinkTo, v.LinkToBytes)
}

// TestMetadataAndListing compares --metadata-file and ls --json with the tar
// that the same flags give, as readers that are not ours see it.
func TestMetadataAndListing(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	for name, image := range map[string]imagetest.Image{"standard": standard(t), "torture": imagetest.Torture()} {
		d.Ctr(t, "images", "import", writeArchive(t, "example.com/"+name+":1", image))
	}
	for name, test := range map[string]struct {
		image string
		args  []string
	}{
		"standard":            {"standard", nil},
		"torture":             {"torture", []string{"--profile", "none"}},
		"filter and prefix":   {"standard", []string{"--exclude", "usr/share", "--prefix", "a/b", "--reproducible"}},
		"a link's first name": {"torture", []string{"--profile", "none", "--exclude", "links/a/first", "--exclude", "many"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--address", d.Address, "example.com/" + test.image + ":1"}, test.args...)
			file := filepath.Join(t.TempDir(), "metadata.json")
			data := ctrRootfs(t, append([]string{"export", "--metadata-file", file}, args...)...).stdout
			want := readTar(t, data)
			m := readCounts(t, file)
			if got, want := m.Entries, countTar(t, data); got != want {
				t.Errorf("the metadata count %+v, Go's reader %+v", got, want)
			}
			sum := sha256.Sum256(data)
			if m.Output.Size != int64(len(data)) || m.Output.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("the metadata say %d bytes of sha256 %s, the tar has %d of %x", m.Output.Size, m.Output.SHA256, len(data), sum)
			}
			want = want.Edit(func(e *listing.Entry) bool { e.SHA256 = ""; return true })
			if diff := listing.Diff(want, listed(t, ctrRootfs(t, append([]string{"ls", "--json"}, args...)...).stdout)); diff != "" {
				t.Errorf("- tar, + ls --json:\n%s", diff)
			}
		})
	}
}

// TestLinkWithoutItsFirstName excludes the first name of a hard link: the next
// one carries the file, also as GNU tar extracts it.
func TestLinkWithoutItsFirstName(t *testing.T) {
	needsRoot(t)
	image := imagetest.TortureOneLayer()
	data := ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none",
		"--exclude", "links/a/first", "--include", "links", "oci-archive:"+writeArchive(t, "", image)).stdout
	want := exportedArchive(t, image).Edit(func(e *listing.Entry) bool {
		return (e.Path == "links" || strings.HasPrefix(e.Path, "links/")) && e.Path != "links/a/first"
	}).Regroup()
	if diff := listing.Diff(want, readTar(t, data)); diff != "" {
		t.Errorf("- all without the name, + excluded:\n%s", diff)
	}
	compareExtracted(t, readers()[0], data, want)
}

// TestLeftOutIsReported exports what a tar cannot hold and what --xattrs
// default leaves out.
func TestLeftOutIsReported(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	image := imagetest.Image{Layers: []imagetest.Layer{{
		imagetest.File("f", 0o644, "").Xattr("user.mine", "1").Xattr("user.overlay.metacopy", "1"),
		imagetest.File("g", 0o644, "").Xattr("user.overlay.origin", "1"),
	}}}
	d.Ctr(t, "images", "import", writeArchive(t, "example.com/left:1", image))
	// No layer holds a socket: it is made where the one layer is unpacked.
	trees, err := filepath.Glob(filepath.Join(d.Dir, "root", "io.containerd.snapshotter.v1.overlayfs", "snapshots", "*", "fs"))
	if err != nil || len(trees) != 1 {
		t.Fatalf("the snapshotter has the trees %q, %v", trees, err)
	}
	if err := unix.Mknod(filepath.Join(trees[0], "socket"), unix.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "metadata.json")
	o := ctrRootfs(t, "export", "--address", d.Address, "--profile", "none", "--metadata-file", file,
		"--exclude", "no/such", "example.com/left:1")
	m := readCounts(t, file)
	got := fmt.Sprintf("sockets %d", m.Entries.SocketCount)
	for _, l := range m.LeftOut {
		got += fmt.Sprintf("\n%d %q %s", l.Count, l.Path, l.Why)
	}
	want := "sockets 1\n" +
		`2 "" extended attributes of the host or of overlayfs, by --xattrs default` + "\n" +
		`1 "socket" a socket, which no archive holds`
	if got != want {
		t.Errorf("the metadata say\n%s\nwant\n%s", got, want)
	}
	for _, said := range []string{`left out "socket"`, `the pattern "no/such" matched nothing`} {
		if !strings.Contains(o.stderr, said) {
			t.Errorf("stderr does not say %s:\n%s", said, o.stderr)
		}
	}
	if l := readTar(t, o.stdout); len(l) != 2 || len(l[0].Xattrs) != 1 || len(l[1].Xattrs) != 0 {
		t.Errorf("the tar has\n%s", l)
	}
}
