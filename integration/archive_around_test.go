package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestSparseArchive reads archives of layouts whose plain layers have holes, as tar -S
// packs them, and bsdtar where nobody asks it to: from a file, a pipe and a FIFO.
func TestSparseArchive(t *testing.T) {
	const hole = 3 << 20
	body := fileEntry("hole", append(make([]byte, hole), "end"...))
	image := marked("amd64", "a")
	image.Layers, image.Compression = append(image.Layers, imagetest.Layer{body}), imagetest.Plain
	content, err := imagetest.Build("", image)
	if err != nil {
		t.Fatal(err)
	}
	dense, sparse := filepath.Join(t.TempDir(), "dense"), filepath.Join(t.TempDir(), "sparse")
	if err := content.WriteLayout(dense); err != nil {
		t.Fatal(err)
	}
	command(t, nil, "cp", "-r", "--sparse=always", dense, sparse)
	export := []string{"export", "--progress", "quiet", "--reproducible", "--platform", "linux/amd64"}
	want := ctrRootfs(t, append(export, "oci:"+dense)...).stdout
	for name, pack := range map[string][]string{
		"old GNU": {"tar", "--format=gnu", "-S", "-cf"},
		"PAX 0.0": {"tar", "--format=pax", "-S", "--sparse-version=0.0", "-cf"},
		"PAX 0.1": {"tar", "--format=pax", "-S", "--sparse-version=0.1", "-cf"},
		"PAX 1.0": {"tar", "--format=pax", "-S", "--sparse-version=1.0", "-cf"},
		"bsdtar":  {"bsdtar", "-cf"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.tar")
			command(t, nil, pack[0], append(pack[1:], path, "-C", sparse, ".")...)
			data, err := os.ReadFile(path)
			if err != nil || len(data) > hole {
				t.Fatalf("packed without holes: %d bytes, %v", len(data), err)
			}
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			writer := exec.Command("cp", path, fifo)
			if err := writer.Start(); err != nil {
				t.Fatal(err)
			}
			for from, o := range map[string]outcome{
				"a file": ctrRootfs(t, append(export, "oci-archive:"+path)...),
				"a pipe": invocation{args: append(export, "oci-archive:-"), stdin: data}.succeed(t),
				"a FIFO": ctrRootfs(t, append(export, "oci-archive:"+fifo)...),
				"xz":     invocation{args: append(export, "oci-archive:-"), stdin: []byte(command(t, data, "xz", "-c"))}.succeed(t),
			} {
				if !bytes.Equal(o.stdout, want) {
					t.Errorf("from %s: %d bytes, want %d", from, len(o.stdout), len(want))
				}
			}
			if err := writer.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNotReadAsArchive names what an archive lacks, or is packed in, and what to do.
func TestNotReadAsArchive(t *testing.T) {
	whole := archiveOf(t, map[string]imagetest.Image{"one": marked("amd64", "one")})
	manifest := bytes.Index(whole, []byte("index.json"))
	old := imagetest.Layer{fileEntry("repositories", []byte("{}")), fileEntry("1/json", []byte("{}")), fileEntry("1/layer.tar", nil)}
	for name, c := range map[string]struct {
		data  []byte
		wants []string
	}{
		"without its list": {append(bytes.Clone(whole[:manifest]), make([]byte, 1024)...), []string{"it is cut off: it has layers, and neither index.json nor manifest.json", "--local"}},
		"without its end":  {whole[:manifest], []string{"it is cut off: it has layers, and neither index.json nor manifest.json", "--local"}},
		"half of a file":   {whole[:manifest-600], []string{"it is cut off", "--local"}},
		"old docker":       {old.Tar(), []string{"it is of a docker before 1.10", "docker 1.10 to 28 loads it"}},
		"empty":            {nil, []string{"it is empty"}},
		"lz4":              {[]byte("\x04\x22\x4d\x18 and so on"), []string{"it is lz4, which is not read here: unpack it first: lz4 -dc "}},
		"a disk of zeros":  {append(make([]byte, 1080), "\x53\xef"...), []string{"it is ext4", "debugfs"}},
	} {
		path := writeFile(t, "a.tar", c.data)
		for _, kind := range []string{"oci-archive:", "docker-archive:"} {
			for _, source := range []string{kind + path, kind + "-"} {
				o := invocation{args: []string{"ls", source}, stdin: c.data}.run(t)
				if o.status != statusFailed {
					t.Errorf("%s, %s: exit status %d, want %d", name, kind, o.status, statusFailed)
				}
				checkError(t, strings.ReplaceAll(o.stderr, path, "a.tar"), c.wants...)
			}
		}
	}
}
