package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestAddressIsNoSocket names what no containerd can listen at.
func TestAddressIsNoSocket(t *testing.T) {
	file := writeFile(t, "file", nil)
	folder := t.TempDir()
	for _, address := range []string{"tcp://127.0.0.1:10000", file, t.TempDir()} {
		badInput{
			args: []string{"export", "--address", address, "-o", filepath.Join(folder, "out.tar"), "alpine"}, status: statusFailed,
			wants: []string{`"` + address + `"`, "no socket", "--address"},
		}.check(t, folder)
	}
}

// TestColonInAPath names an archive by a path that has colons.
func TestColonInAPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image:1.tar")
	if err := os.WriteFile(path, archiveOf(t, map[string]imagetest.Image{"one": marked("amd64", "one")}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"oci-archive:" + path, "oci-archive:" + path + ":one"} {
		onlyFile(t, ctrRootfs(t, "export", "--profile", "none", "--platform", "linux/amd64", source).stdout, "one")
	}
}

// TestAfterTheArchive has zeros follow a compressed archive, as tar writes them
// to a device, and something else.
func TestAfterTheArchive(t *testing.T) {
	zipped := []byte(command(t, archiveOf(t, map[string]imagetest.Image{"one": marked("amd64", "one")}), "gzip", "-c"))
	zeros := make([]byte, 10240-len(zipped)%10240)
	read := func(data []byte) outcome {
		return invocation{args: []string{"export", "--profile", "none", "--platform", "linux/amd64", "oci-archive:-"}, stdin: data}.run(t)
	}
	padded := read(append(bytes.Clone(zipped), zeros...))
	if padded.status != 0 {
		t.Errorf("padded with zeros: exit status %d\n%s", padded.status, padded.stderr)
	}
	onlyFile(t, padded.stdout, "one")
	o := read(append(bytes.Clone(zipped), "something else"...))
	if o.status != statusFailed {
		t.Errorf("with garbage: exit status %d", o.status)
	}
	checkError(t, o.stderr, "trailing garbage")
}
