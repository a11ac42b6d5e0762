package export_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/pkg/export/exporttest"
)

// GNU tar, bsdtar and busybox list everything that a header can hardly hold. GNU
// tar warns of hdrcharset, and bsdtar cannot show names that are no UTF-8 in a C
// locale; neither is an error.
func TestTarIsListedByOtherReaders(t *testing.T) {
	entries := hardEntries()
	data := writeTar(t, exporttest.New(entries...))
	for _, reader := range []string{"tar -tf -", "bsdtar -tf -", "busybox tar -tf -"} {
		args := strings.Fields(reader)
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Logf("NOT TESTED with %s: it is not installed", args[0])
			continue
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8")
		cmd.Stdin = bytes.NewReader(data)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v: %.300s", reader, err, stderr.String())
		}
		got := bytes.Count(out, []byte("\n")) - bytes.Count(out, []byte("new\nline"))
		if got != len(entries) {
			t.Errorf("%s: lists %d entries, want %d; it says %.300q", reader, got, len(entries), stderr.String())
		}
	}
}
