package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// smallDisk mounts a filesystem of some MiB, and takes it off with the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Fatalf("mounting a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %q: %v", dir, err)
		}
	})
	return dir
}

// TestFullDisk fills the disk that the output, the spool or the store is on.
func TestFullDisk(t *testing.T) {
	needsRoot(t)
	image := large()
	archive := "oci-archive:" + writeArchive(t, largeName, image)
	image.Compression = imagetest.Gzip
	gzipped := "oci-archive:" + writeArchive(t, largeName, image)
	store := filepath.Join(t.TempDir(), "store")
	for name, args := range map[string]func(disk string) []string{
		"file":             func(disk string) []string { return []string{"-o", disk + "/out.tar", archive} },
		"compressed":       func(disk string) []string { return []string{"-o", disk + "/out.tar.zst", archive} },
		"file over a file": func(disk string) []string { return []string{"-o", disk + "/older", archive} },
		"view to a file": func(disk string) []string {
			return []string{"--store", store, "--via", "view", "-o", disk + "/out.tar", archive}
		},
		"directory": func(disk string) []string { return []string{"--format", "dir", "-o", disk + "/rootfs", archive} },
		"spool":     func(disk string) []string { return []string{"--spool", disk, "-o", "/dev/null", gzipped} },
		"store": func(disk string) []string {
			return []string{"--store", disk + "/store", "--via", "view", "-o", "/dev/null", archive}
		},
		"device": func(string) []string { return []string{"-o", "/dev/full", archive} },
	} {
		t.Run(name, func(t *testing.T) {
			disk := smallDisk(t)
			older := filepath.Join(disk, "older")
			if err := os.WriteFile(older, []byte("older"), 0o600); err != nil {
				t.Fatal(err)
			}
			o := invocation{args: append([]string{"export"}, args(disk)...)}.run(t)
			if o.status != statusFailed {
				t.Errorf("exit status %d, want %d", o.status, statusFailed)
			}
			checkError(t, o.stderr, "no space left on device")
			if name == "store" {
				ctrRootfs(t, "gc", "--store", disk+"/store")
			}
			if files := regularFiles(t, disk); len(files) != 1 || files[0] != "older" {
				t.Errorf("left: %q", files)
			}
			if data, err := os.ReadFile(older); err != nil || string(data) != "older" {
				t.Errorf("the older file holds %.10q (%v)", data, err)
			}
		})
	}
}

// TestTimeout gives runs up at random moments: nothing is left.
func TestTimeout(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	archive := writeArchive(t, smallName, small())
	d.Ctr(t, "images", "import", "--no-unpack", archive)
	before := d.Left(t, "default", "overlayfs")
	store := filepath.Join(t.TempDir(), "store")
	random := seeded(t)
	gaveUp := 0
	out := outputDir{t.TempDir(), ctrRootfs(t, "export", "oci-archive:"+archive).stdout}
	for range rounds(t, 20) {
		timeout := time.Duration(random.Int64N(int64(100 * time.Millisecond)))
		for _, args := range [][]string{{"--address", d.Address, smallName}, {"--store", store, "--via", "view", "oci-archive:" + archive}} {
			o := invocation{args: append([]string{"export", "--timeout", timeout.String(), "-o", out.file()}, args...)}.run(t)
			if o.status == statusFailed {
				gaveUp++
				checkError(t, o.stderr, "--timeout")
			} else if o.status != 0 {
				t.Errorf("--timeout %s: exit status %d\n%s", timeout, o.status, o.stderr)
			}
			out.check(t, o.status == 0, o.status == 0)
		}
		if left := d.Left(t, "default", "overlayfs").Since(before); strings.Contains(left, "ctr-rootfs-") || strings.Contains(left, "extract-") {
			t.Errorf("--timeout %s left:\n%s", timeout, left)
		}
	}
	if gaveUp == 0 {
		t.Error("no run was given up, so this test saw nothing")
	}
	checkSaid(t, ctrRootfs(t, "gc", "--store", store), "removed what 0 crashed runs left")
}

// TestFewDescriptors exports a deep tree of many layers with 64 descriptors.
func TestFewDescriptors(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	image := imagetest.ManyLayers(100)
	image.Layers[0] = append(image.Layers[0], deepDirs(200)...)
	archive := writeArchive(t, smallName, image)
	r := startRegistry(t, registryOptions{})
	r.push(t, "small:1", image)
	d.Ctr(t, "images", "import", archive)
	want := ctrRootfs(t, "export", "--reproducible", "--profile", "none", "oci-archive:"+archive).stdout
	for name, args := range map[string][]string{
		"view":   {"--address", d.Address, smallName},
		"layers": {"oci-archive:" + archive},
		"unpack": {"--store", filepath.Join(t.TempDir(), "store"), "--via", "view", "oci-archive:" + archive},
		"pull":   {"--store", filepath.Join(t.TempDir(), "store"), "--hosts-dir", servedBy(t, "http://"+r.host), smallName},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := append([]string{"--nofile=64", programs.ctrRootfs, "export", "--reproducible", "--profile", "none"}, args...)
			if got := command(t, nil, "prlimit", cmd...); got != string(want) {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// deepDirs are n directories, each in the one before.
func deepDirs(n int) imagetest.Layer {
	var layer imagetest.Layer
	path := "deep"
	for range n {
		layer = append(layer, imagetest.Dir(path, 0o755))
		path += "/d"
	}
	return append(layer, imagetest.File(path, 0o644, "at the bottom"))
}

// TestStoreOnOverlay has the embedded store on an overlay, as in a container:
// what overlayfs lets nobody else make is an error that says so, and all else is
// right.
func TestStoreOnOverlay(t *testing.T) {
	needsRoot(t)
	disk := smallDisk(t)
	mount := filepath.Join(t.TempDir(), "overlay")
	for _, dir := range []string{mount, filepath.Join(disk, "upper"), filepath.Join(disk, "work")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", mount, "overlay", 0, "lowerdir="+t.TempDir()+",upperdir="+disk+"/upper,workdir="+disk+"/work"); err != nil {
		t.Fatalf("mounting an overlay: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Errorf("unmounting %q: %v", mount, err)
		}
	})
	below := imagetest.Layer{imagetest.Dir("d", 0o755), imagetest.File("d/f", 0o644, "1"), imagetest.File("d/g", 0o644, "2")}
	for name, c := range map[string]struct {
		above       imagetest.Layer
		must, mayBe bool // an error; an error where the kernel is older than 6.7
	}{
		"nothing is deleted": {imagetest.Layer{imagetest.File("d/f", 0o600, "3")}, false, false},
		"a file is deleted":  {imagetest.Layer{imagetest.Whiteout("d", "f")}, true, true},
		"all is deleted":     {imagetest.Layer{imagetest.Opaque("d"), imagetest.File("d/h", 0o644, "4")}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			source := "oci-archive:" + writeArchive(t, "", imagetest.Image{Layers: []imagetest.Layer{below, c.above}})
			export := func(via string) invocation {
				return invocation{args: []string{"export", "--reproducible", "--store", filepath.Join(mount, name), "--via", via, source}}
			}
			want, got := export("layers").succeed(t), export("view").run(t)
			switch {
			case got.status == 0 && !c.must:
				if !bytes.Equal(got.stdout, want.stdout) {
					t.Errorf("a view has\n%swant\n%s", readTar(t, got.stdout), readTar(t, want.stdout))
				}
			case got.status == statusFailed && c.mayBe:
				checkError(t, got.stderr, "the store lies on an overlay", "use --via layers, or --store DIR on another filesystem")
			default:
				t.Errorf("exit status %d and %d bytes\n%s", got.status, len(got.stdout), got.stderr)
			}
		})
	}
}
