package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// rootlessBundle makes a bundle as an ordinary user does: ctr-rootfs runs as
// him (with the capabilities that mounting an image takes), and his own tar
// extracts what it writes. So all of it is his: the container's user namespace
// has no other owner. It gives what spec prints, too.
func rootlessBundle(t *testing.T, args []string) (bundle string, printed []byte) {
	t.Helper()
	// Not t.TempDir, which is root's alone.
	dir, err := os.MkdirTemp("", "rootless")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the user's folder: %v", err)
		}
	})
	if err := os.Chown(dir, rootlessID, rootlessID); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "ctr-rootfs")
	data, err := os.ReadFile(programs.ctrRootfs)
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--store", filepath.Join(dir, "store"), "--rootless"}, args...)
	const mounting = "+chown,+dac_override,+fowner,+setfcap,+sys_admin"
	printed = asUser(t, nil, mounting, append([]string{program, "spec"}, args...)...)
	archive := asUser(t, nil, mounting, append([]string{program, "bundle", "--path", "b"}, args...)...)
	asUser(t, archive, "", "tar", "-x", "-C", dir)
	return filepath.Join(dir, "b"), printed
}

// asUser runs a command as the user without privilege, but for capabilities in
// the words of setpriv(1), and gives what it prints.
func asUser(t *testing.T, stdin []byte, capabilities string, args ...string) []byte {
	t.Helper()
	id := strconv.Itoa(rootlessID)
	call := []string{"--reuid", id, "--regid", id, "--clear-groups"}
	if capabilities != "" {
		call = append(call, "--inh-caps", capabilities, "--ambient-caps", capabilities)
	}
	cmd := exec.Command("setpriv", append(call, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("as user %s, %q: %v\n%s", id, args, err, stderr.String())
	}
	return out
}
