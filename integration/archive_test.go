package integration_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// archiveOf is an OCI archive of several images, each under a name of its own.
func archiveOf(t *testing.T, images map[string]imagetest.Image) []byte {
	t.Helper()
	all := &imagetest.Content{}
	for name, image := range images {
		one, err := imagetest.Build(name, image)
		if err != nil {
			t.Fatal(err)
		}
		if all.Blobs == nil {
			all.Blobs, all.Index = one.Blobs, one.Index
			continue
		}
		for d, data := range one.Blobs {
			all.Blobs[d] = data
		}
		all.Index.Manifests = append(all.Index.Manifests, one.Index.Manifests...)
	}
	var data bytes.Buffer
	if err := all.WriteArchive(&data); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// fileEntry is a file of an archive.
func fileEntry(name string, body []byte) imagetest.Entry {
	e := imagetest.File(name, 0o644, "")
	e.Body = body
	return e
}

// archiveChoice is an archive of several images, one of them named or none.
type archiveChoice struct {
	source string
	// files are what the image holds; without any, names are listed.
	files, names []string
}

// check exports it, beside the other choices.
func (c archiveChoice) check(t *testing.T, args ...string) {
	t.Helper()
	t.Run(c.source, func(t *testing.T) {
		t.Parallel()
		o := invocation{args: append([]string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", c.source}, args...)}.run(t)
		if len(c.files) == 0 {
			if o.status != statusNotFound {
				t.Errorf("exit status %d, want %d", o.status, statusNotFound)
			}
			checkError(t, o.stderr, append(c.names, "PATH:NAME")...)
			return
		}
		var files []string
		for _, e := range readTar(t, o.stdout) {
			files = append(files, e.Path)
		}
		if !slices.Equal(files, c.files) {
			t.Errorf("it holds %q, want %q\n%s", files, c.files, o.stderr)
		}
	})
}

// TestArchiveReference chooses one of several images in an archive.
func TestArchiveReference(t *testing.T) {
	needsRoot(t)
	oci := archiveOf(t, map[string]imagetest.Image{
		"docker.io/library/first:1": marked("amd64", "first"), "example.com/second:1": marked("amd64", "second"), "v3": marked("amd64", "third"),
	})
	layout := filepath.Join(t.TempDir(), "layout")
	if err := os.Mkdir(layout, 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, oci, "tar", "-x", "-C", layout)
	at := writeFile(t, "several.tar", oci)
	first, second := "docker.io/library/first:1", "example.com/second:1"
	for _, c := range []archiveChoice{
		{"oci-archive:" + at + ":" + first, []string{"first"}, nil},
		{"oci-archive:" + at + ":first:1", []string{"first"}, nil},
		{"oci-archive:" + at + ":" + second, []string{"second"}, nil},
		{"oci-archive:" + at + ":v3", []string{"third"}, nil},
		{"oci-archive:" + at, nil, []string{first, second, "v3"}},
		{"oci-archive:" + at + ":none", nil, []string{first, second, "v3"}},
		{"oci:" + layout + ":first:1", []string{"first"}, nil},
		{"oci:" + layout + ":v3", []string{"third"}, nil},
		{"oci:" + layout, nil, []string{first, second, "v3"}},
	} {
		c.check(t, "--platform", "linux/amd64")
	}
}

// TestArchiveOfUnnamed has two images that no name tells apart: they go by
// their digests.
func TestArchiveOfUnnamed(t *testing.T) {
	needsRoot(t)
	one, err := imagetest.Build("", marked("amd64", "first"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := imagetest.Build("", marked("amd64", "second"))
	if err != nil {
		t.Fatal(err)
	}
	for d, data := range two.Blobs {
		one.Blobs[d] = data
	}
	one.Index.Manifests = append(one.Index.Manifests, two.Index.Manifests...)
	dir := t.TempDir()
	if err := one.WriteLayout(dir); err != nil {
		t.Fatal(err)
	}
	second := two.Index.Manifests[0].Digest.String()
	args := []string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--platform", "linux/amd64"}
	o := invocation{args: append(args, "oci:"+dir)}.run(t)
	if o.status != statusNotFound {
		t.Errorf("exit status %d", o.status)
	}
	checkError(t, o.stderr, second, one.Index.Manifests[0].Digest.String())
	onlyFile(t, ctrRootfs(t, append(args, "oci:"+dir+":"+second)...).stdout, "second")
}

// TestCompressedArchive reads archives with gzip, zstd, xz and bzip2 around them, from a
// file and from a pipe, on a machine that has no such program; and cut off
// anywhere they are told from whole ones.
func TestCompressedArchive(t *testing.T) {
	needsRoot(t)
	plain := archiveOf(t, map[string]imagetest.Image{standardName: standard(t)})
	want := archiveBytes(t, standard(t))
	for name, data := range map[string][]byte{
		"plain": plain,
		"gzip":  []byte(command(t, plain, "gzip", "-c")),
		"zstd":  []byte(command(t, plain, "zstd", "-c", "-q")),
		"xz":    []byte(command(t, plain, "xz", "-c", "--block-size=1MiB")),
		"bzip2": []byte(command(t, plain, "bzip2", "-c")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := filepath.Join(t.TempDir(), "store")
			noPrograms := []string{"PATH=/nowhere"}
			export := []string{"export", "--store", store, "--reproducible"}
			file := invocation{args: append(export, "oci-archive:"+writeFile(t, "image", data)), env: noPrograms}.succeed(t)
			piped := invocation{args: append(export, "oci-archive:-"), stdin: data, env: noPrograms}.succeed(t)
			if !bytes.Equal(file.stdout, want) || !bytes.Equal(piped.stdout, want) {
				t.Errorf("%d bytes from a file, %d from a pipe, want %d", len(file.stdout), len(piped.stdout), len(want))
			}
			for _, cut := range []int{3, 700, len(data) / 2, len(data) - len(plain)/4, len(data) - 4} {
				if name == "plain" && cut == len(data)-4 || cut < 0 {
					continue // only zeros of the tar's end are missing
				}
				o := invocation{args: append(export, "oci-archive:-"), stdin: data[:cut]}.run(t)
				if o.status != statusFailed {
					t.Errorf("cut after %d bytes of %d: exit status %d", cut, len(data), o.status)
				}
				if cut > 512 {
					checkError(t, o.stderr, "cut off")
				}
			}
			if name != "plain" {
				damaged := bytes.Clone(data)
				damaged[len(damaged)/2] ^= 0x40
				if o := (invocation{args: append(export, "oci-archive:-"), stdin: damaged}).run(t); o.status != statusFailed {
					t.Errorf("damaged: exit status %d", o.status)
				}
			}
		})
	}
}

// TestArchiveFromWriter reads from a program that must be able to write all it
// has, padding too.
func TestArchiveFromWriter(t *testing.T) {
	needsRoot(t)
	data := append(archiveOf(t, map[string]imagetest.Image{"": marked("amd64", "first")}), make([]byte, 1<<20)...)
	store := filepath.Join(t.TempDir(), "store")
	cmd := exec.Command("/bin/bash", "-c", `set -o pipefail; cat "$1" | "$0" export --store "$2" --platform linux/amd64 -o /dev/null oci-archive:-`,
		programs.ctrRootfs, writeFile(t, "padded.tar", data), store)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestStandingInput interrupts a read of standard input that stands still.
func TestStandingInput(t *testing.T) {
	needsRoot(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cmd := invocation{args: []string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--timeout", "1s", "oci-archive:-"}}.command()
	cmd.Stdin = r
	start := time.Now()
	out, _ := cmd.CombinedOutput() // the status is looked at
	r.Close()
	if took := time.Since(start); cmd.ProcessState.ExitCode() != statusFailed || took > 10*time.Second || !bytes.Contains(out, []byte("--timeout")) {
		t.Errorf("after %v exit status %d:\n%s", took, cmd.ProcessState.ExitCode(), out)
	}
}

// TestWrongKindOfArchive says how to read what was named by the other word.
func TestWrongKindOfArchive(t *testing.T) {
	needsRoot(t)
	archive := writeArchive(t, "", marked("amd64", "first"))
	for source, want := range map[string]string{
		"oci:" + archive:             "oci-archive:" + archive,
		"oci-archive:" + t.TempDir(): "oci:",
		"docker-archive:" + archive:  "it has no manifest.json: its index.json is read as oci-archive:" + archive,
	} {
		o := invocation{args: []string{"export", "--store", filepath.Join(t.TempDir(), "store"), source}}.run(t)
		if o.status != statusFailed {
			t.Errorf("%s: exit status %d", source, o.status)
		}
		checkError(t, o.stderr, want)
	}
}
