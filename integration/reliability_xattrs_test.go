package integration_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// xattrCalls are getxattrat and listxattrat of Linux 6.13, which an older strace
// cannot fail.
const xattrCalls = "464,465"

// refusing is a command that runs another, to which the kernel refuses calls.
func refusing(t *testing.T, errno syscall.Errno, calls string) []string {
	t.Helper()
	root, err := tools.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "refuse")
	if err := build(root, program, "./internal/refuse"); err != nil {
		t.Fatal(err)
	}
	return []string{program, strconv.Itoa(int(errno)), calls}
}

// TestXattrsThatCannotBeRead fails the calls that strace does not know.
func TestXattrsThatCannotBeRead(t *testing.T) {
	needsRoot(t)
	store, archive := filepath.Join(t.TempDir(), "store"), writeArchive(t, "", small())
	out := outputDir{dir: t.TempDir()}
	for call, said := range map[string]string{"464": `attribute "user.f"`, "465": "reading xattrs of"} {
		args := append(refusing(t, syscall.EIO, call), programs.ctrRootfs, "export", "--store", store, "--via", "view", "-o", out.file(), "oci-archive:"+archive)
		output, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), said) || !strings.Contains(string(output), "input/output error") {
			t.Errorf("call %s: %v, and it does not say %q:\n%s", call, err, said, output)
		}
		out.check(t, false, false)
	}
}
