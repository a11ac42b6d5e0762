package export_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export"
	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// aclOfUser1000 is u::rwx,u:1000:rwx,g::r-x,m::rwx,o::r-x as
// linux/posix_acl_xattr.h lays it out: a version, then tag, perm and id each.
const aclOfUser1000 = "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x07\x00\xe8\x03\x00\x00" +
	"\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff"

// dirSink is a sink that writes the directory dir.
func dirSink(t *testing.T, dir string, o export.DirOptions) *export.Dir {
	t.Helper()
	root, err := os.Open(dir)
	must(t, err)
	sink, err := export.NewDir(root, o)
	must(t, err)
	return sink
}

// TestDirInheritsNoACL writes into a directory with a default ACL what it writes
// into one without.
func TestDirInheritsNoACL(t *testing.T) {
	acl := export.Xattr{Name: "system.posix_acl_access", Value: []byte(aclOfUser1000)}
	ofDir := export.Xattr{Name: "system.posix_acl_default", Value: []byte(aclOfUser1000)}
	withACL := exporttest.WithXattrs(exporttest.File("d/acl", "x"), acl)
	withACL.Mode = 0o775
	tree := exporttest.New(exporttest.Dir("d"), exporttest.Dir("d/e"), exporttest.File("d/e/f", "x"), withACL,
		exporttest.WithXattrs(exporttest.Dir("default"), ofDir), exporttest.File("default/f", "x"), exporttest.File("f", "x"),
		exporttest.Link("link", "f"), exporttest.Node("fifo", export.FIFO), exporttest.Node("device", export.CharDevice))
	plain, inheriting := t.TempDir(), t.TempDir()
	err := unix.Setxattr(inheriting, ofDir.Name, ofDir.Value, 0)
	if errors.Is(err, unix.ENOTSUP) {
		t.Skip("SKIPPED: the filesystem of the temporary directory has no ACLs: set TMPDIR")
	}
	must(t, err)
	for _, dir := range []string{plain, inheriting} {
		_, err := export.Write(t.Context(), tree, dirSink(t, dir, export.DirOptions{NoSameOwner: true}))
		must(t, err)
	}
	compareManifests(t, manifest(t, inheriting), manifest(t, plain))
}

// TestUserXattrsOfReadOnlyFiles has an ordinary user write objects that he may
// not write to once they have their modes.
func TestUserXattrsOfReadOnlyFiles(t *testing.T) {
	const nobody = 65534
	into := t.TempDir()
	if os.Geteuid() == 0 {
		must(t, os.Chown(into, nobody, nobody))
	}
	attr := export.Xattr{Name: "user.a", Value: []byte("1")}
	file, dir := exporttest.WithXattrs(exporttest.File("f", "x"), attr), exporttest.WithXattrs(exporttest.Dir("d"), attr)
	file.Mode, dir.Mode = 0o444, 0o555
	sink := dirSink(t, into, export.DirOptions{NoSameOwner: true})
	must(t, asOrdinaryUser(t, func() error {
		_, err := export.Write(t.Context(), exporttest.New(file, dir), sink)
		return err
	}))
	if sink.Skipped()["xattr "+attr.Name] > 0 {
		t.Skip("SKIPPED: the filesystem of the temporary directory has no user attributes: set TMPDIR")
	}
	for name, mode := range map[string]os.FileMode{"f": 0o444, "d": 0o555} {
		info, err := os.Stat(filepath.Join(into, name))
		must(t, err)
		var value [8]byte
		n, err := unix.Getxattr(filepath.Join(into, name), attr.Name, value[:])
		if err != nil || string(value[:n]) != "1" || info.Mode().Perm() != mode {
			t.Errorf("%q: mode %v, attribute %q, %v", name, info.Mode(), value[:max(n, 0)], err)
		}
	}
}

// userNamespace is set for the child of TestACLOfUnmappedUser: the directory
// that it writes.
const userNamespace = "EXPORT_TEST_USER_NAMESPACE"

// TestACLOfUnmappedUser has an ACL name a user that there is not, in a user
// namespace of one.
func TestACLOfUnmappedUser(t *testing.T) {
	acl := export.Xattr{Name: "system.posix_acl_access", Value: []byte(aclOfUser1000)}
	if into := os.Getenv(userNamespace); into != "" {
		sink := dirSink(t, into, export.DirOptions{NoSameOwner: true})
		_, err := export.Write(t.Context(), exporttest.New(exporttest.WithXattrs(exporttest.File("f", "x"), acl)), sink)
		if err != nil || sink.Skipped()["xattr "+acl.Name] != 1 {
			t.Fatalf("skipped %v, %v", sink.Skipped(), err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestACLOfUnmappedUser$")
	cmd.Env = append(os.Environ(), userNamespace+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSPC) {
		t.Skipf("SKIPPED: this user can make no user namespace: %v", err)
	}
	if err != nil {
		t.Fatalf("%v: %.1000s", err, out)
	}
}

// TestDeviceNumbersOutOfRange has numbers that mknod(2) would cut.
func TestDeviceNumbersOutOfRange(t *testing.T) {
	for number, rdev := range map[string][2]uint32{"4096:0": {4096, 0}, "0:1048576": {0, 1 << 20}} {
		e := exporttest.Node("dev", export.CharDevice)
		e.RdevMajor, e.RdevMinor = rdev[0], rdev[1]
		into := t.TempDir()
		_, err := export.Write(t.Context(), exporttest.New(e), dirSink(t, into, export.DirOptions{}))
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), `writing "dev": device number `+number) {
			t.Errorf("%s: got %v", number, err)
		}
		sink := dirSink(t, into, export.DirOptions{NoSameOwner: true})
		if _, err := export.Write(t.Context(), exporttest.New(e), sink); err != nil || sink.Skipped()["device"] != 1 {
			t.Errorf("%s with NoSameOwner: skipped %v, %v", number, sink.Skipped(), err)
		}
		if left, err := os.ReadDir(into); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", number, left, err)
		}
	}
}
