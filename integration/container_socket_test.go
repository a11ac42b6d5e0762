package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// TestContainerSocket has a program in a container listen on a socket, which no
// archive holds: it is named on stderr and in the metadata, and the rest is
// exported.
func TestContainerSocket(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, churnName, churn(t)))
	startContainer(t, d, nil, "listener", "--socket", "/data/socket")
	socket := filepath.Join(taskRoot(d, "listener"), "data", "socket")
	waitUntil(t, "the program listens", func() bool {
		info, err := os.Lstat(socket)
		return err == nil && info.Mode().Type() == os.ModeSocket
	})
	meta := filepath.Join(t.TempDir(), "meta.json")
	o := ctrRootfs(t, "export", "--address", d.Address, "--pause", "--metadata-file", meta, "container:listener")
	if listed := readTar(t, o.stdout).String(); strings.Contains(listed, `"data/socket"`) || !strings.Contains(listed, `"data`) {
		t.Errorf("the tar holds\n%s", listed)
	}
	text, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	for where, said := range map[string][]byte{"stderr": []byte(o.stderr), "metadata": text} {
		if !bytes.Contains(said, []byte("data/socket")) {
			t.Errorf("%s does not name the socket:\n%s", where, said)
		}
	}
}
