package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
)

// erofsNative converts images as containerd does, so that their layers are EROFS
// filesystems: merged, they are the same bytes as the tars, whatever holds them.
func erofsNative(t *testing.T, d *daemon.Daemon, all []subject) {
	t.Setenv("PATH", erofsUtils(t)+":"+os.Getenv("PATH"))
	for _, s := range all {
		for _, how := range []string{"raw", "zstd"} {
			t.Run(s.name+" "+how, func(t *testing.T) {
				ref := "example.com/erofs-" + how + "-" + s.name + ":1"
				d.Ctr(t, "images", "convert", "--erofs", how, s.ref(), ref)
				s.compare(t, "--address", d.Address, "--via", "layers", "--platform", erofsPlatform, ref)
				archive, layout := filepath.Join(t.TempDir(), "image.tar"), t.TempDir()
				d.Ctr(t, "images", "export", "--local", archive, ref)
				command(t, nil, "tar", "-xf", archive, "-C", layout)
				s.compareBytes(t, "--platform", erofsPlatform, "oci-archive:"+archive)
				s.compareBytes(t, "--platform", erofsPlatform, "--store", filepath.Join(t.TempDir(), "store"), "--via", "layers", "oci:"+layout)
			})
		}
	}
	t.Run("compressed", func(t *testing.T) { erofsCompressed(t, d, all[0]) })
}

// erofsPlatform is what containerd's converter makes of linux/amd64.
const erofsPlatform = "linux(+erofs)/amd64"

// erofsCompressed exports what is not read: the error says which layer and what
// to do.
func erofsCompressed(t *testing.T, d *daemon.Daemon, s subject) {
	const ref = "example.com/erofs-compressed:1"
	d.Ctr(t, "images", "convert", "--erofs", "raw", "--erofs-compressors", "lz4", s.ref(), ref)
	o := invocation{args: []string{"export", "--address", d.Address, "--via", "layers", "--platform", erofsPlatform, ref}}.run(t)
	said := strings.TrimSpace(o.stderr)
	if o.status != statusFailed {
		t.Errorf("exit status %d, want %d", o.status, statusFailed)
	}
	for _, want := range []string{"reading layer 2 of 3", "application/vnd.erofs.layer.v1", "EROFS with compressed files (lz4) is not read", "convert the image again without --erofs-compressors"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// TestErofsArchive reads filesystems of an archive by merging them; what unpacks
// in the embedded store has no reader of them.
func TestErofsArchive(t *testing.T) {
	needsRoot(t)
	const mediaType = "application/vnd.erofs.layer.v1"
	image := madeBy(t, "mkfs.erofs", "erofs-utils", "FILE", "FOLDER")
	zstd := []byte(command(t, image, "zstd", "-c", "-q"))
	tar := oneFileTar()
	for name, c := range map[string]struct {
		mediaType     string
		data, content []byte
		want          string // of the error by merging; empty where it is read
	}{
		"raw":          {mediaType, image, image, ""},
		"zstd":         {mediaType + "+zstd", zstd, image, ""},
		"a tar":        {mediaType, tar, tar, "it is not an EROFS filesystem"},
		"zeros":        {mediaType, make([]byte, 10240), make([]byte, 10240), "it is not an EROFS filesystem"},
		"nothing":      {mediaType + "+zstd", nil, nil, "reading the superblock"},
		"another's ID": {mediaType + "+zstd", zstd, tar, "digest mismatch"},
		"by gzip":      {mediaType + "+gzip", gzipped(t, image), image, unpackedHint},
	} {
		t.Run(name, func(t *testing.T) {
			source := "oci-archive:" + writeArchive(t, "", typed(c.mediaType, c.data, c.content))
			ls := []string{"ls", "--profile", "none", "--store", filepath.Join(t.TempDir(), "store"), "--via"}
			wants := []string{digest.FromBytes(c.data).String(), "2 of 2"}
			if c.want == "" {
				if got := namesOf(ctrRootfs(t, append(ls, "layers", source)...).stdout); got != "below f" {
					t.Errorf("got the names %s", got)
				}
				wants = append(wants, c.mediaType, "use --via layers")
			} else {
				badInput{args: append(ls, "layers", source), status: statusFailed, wants: append(wants, c.want)}.check(t, t.TempDir())
				wants = append(wants, c.mediaType)
			}
			badInput{args: append(ls, "view", source), status: statusFailed, wants: wants}.check(t, t.TempDir())
		})
	}
}

// erofsUtils gives a folder with an mkfs.erofs that reads tars, as containerd's
// converter needs it: Debian 12 has an older one, so that it is Debian 13's, with
// the libraries that it was built for.
func erofsUtils(t *testing.T) string {
	t.Helper()
	root := cached(t, "debian-trixie-erofs-utils", func(path string) *exec.Cmd {
		return exec.Command("mmdebstrap", "--mode=root", "--variant=extract", "--quiet", "--include=erofs-utils", "trixie", path)
	})
	only := func(pattern string) string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%q in %q are %q: %v", pattern, root, found, err)
		}
		return found[0]
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --library-path '%s' '%s' \"$@\"\n", only("usr/lib*/ld-linux*.so.*"), only("usr/lib/*-linux-gnu"), only("usr/bin/mkfs.erofs"))
	if err := os.WriteFile(filepath.Join(bin, "mkfs.erofs"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin
}
