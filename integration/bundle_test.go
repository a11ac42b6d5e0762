package integration_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
	"github.com/ctr-rootfs/ctr-rootfs/integration/listing"
	"github.com/ctr-rootfs/ctr-rootfs/integration/tools"
)

// TestBundleRuns starts bundles by real runtimes and reads what they print.
func TestBundleRuns(t *testing.T) {
	needsRoot(t)
	program, err := os.ReadFile(programs.hello)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		image imagetest.Image
		args  []string
		want  string
	}{
		"standard":        {standard(t), nil, imagetest.Greeting + "\nuser 1000:1000, directory /srv/app, pid 1\n"},
		"arguments":       {standard(t), []string{"--", "/usr/bin/hello", "a", "b c"}, "a b c\nuser 1000:1000, directory /srv/app, pid 1\n"},
		"one static file": {imagetest.OneProgram(program), nil, imagetest.Greeting + "\nuser 0:0, directory /, pid 1\n"},
	}
	for _, runtime := range runtimes(t) {
		for name, test := range tests {
			t.Run(filepath.Base(runtime)+"/"+name, func(t *testing.T) {
				source := "oci-archive:" + writeArchive(t, "", test.image)
				bundle := filepath.Join(t.TempDir(), "bundle")
				args := append([]string{"bundle", "--store", filepath.Join(t.TempDir(), "store"), "--format", "dir", "-o", bundle, source}, test.args...)
				ctrRootfs(t, args...)
				if got := runBundle(t, runtime, bundle); got != test.want {
					t.Errorf("it printed %q, want %q", got, test.want)
				}
			})
		}
	}
}

// TestBundleTar extracts a bundle's tar and starts it, and holds the tar's
// shape: config.json first, the root filesystem below rootfs/.
func TestBundleTar(t *testing.T) {
	needsRoot(t)
	source := "oci-archive:" + writeArchive(t, "", standard(t))
	data := ctrRootfs(t, "bundle", "--store", filepath.Join(t.TempDir(), "store"), "--path", "app", source).stdout
	l := readTar(t, data)
	for i, want := range []string{"app", "app/config.json", "app/rootfs"} {
		if l[i].Path != want {
			t.Errorf("entry %d is %q, want %q", i, l[i].Path, want)
		}
	}
	dir := t.TempDir()
	command(t, data, "tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", dir)
	want := imagetest.Greeting + "\nuser 1000:1000, directory /srv/app, pid 1\n"
	if got := runBundle(t, runtimes(t)[0], filepath.Join(dir, "app")); got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
}

// TestBundleDirectoryIsTheTar compares the two formats of one bundle.
func TestBundleDirectoryIsTheTar(t *testing.T) {
	needsRoot(t)
	args := []string{"bundle", "--store", filepath.Join(t.TempDir(), "store"), "--reproducible", "oci-archive:" + writeArchive(t, "", standard(t))}
	want := readTar(t, ctrRootfs(t, args...).stdout)
	dir := filepath.Join(t.TempDir(), "bundle")
	ctrRootfs(t, append(args, "--format", "dir", "-o", dir)...)
	got, err := listing.OfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := listing.Diff(want, got); diff != "" {
		t.Errorf("- tar, + directory:\n%s", diff)
	}
}

// TestBundleConfig takes a config.json byte for byte.
func TestBundleConfig(t *testing.T) {
	needsRoot(t)
	config := []byte("{ \"ociVersion\" : \"1.0.2\",\n\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\",\"args\":[\"/hello\"],\"user\":{\"uid\":0,\"gid\":0}} }")
	dir := filepath.Join(t.TempDir(), "bundle")
	ctrRootfs(t, "bundle", "--store", filepath.Join(t.TempDir(), "store"), "--config", writeFile(t, "c.json", config),
		"--format", "dir", "-o", dir, "oci-archive:"+writeArchive(t, "", standard(t)))
	got, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, config) {
		t.Errorf("config.json is %q, want %q", got, config)
	}
}

// runtimes are runc, built from its module, and crun where it is installed.
func runtimes(t *testing.T) []string {
	t.Helper()
	bin, err := tools.Dir(context.Background(), "runc")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{filepath.Join(bin, "runc")}
	const crun = "/usr/bin/crun"
	if _, err := os.Stat(crun); err != nil {
		t.Logf("crun is left out, it is not installed: integration/install-deps")
		return all
	}
	return append(all, crun)
}

// runBundle starts a bundle with a state folder of its own.
func runBundle(t *testing.T, runtime, bundle string) string {
	t.Helper()
	line := bundleCommand(t, runtime, bundle)
	return command(t, nil, line[0], line[1:]...)
}

func bundleCommand(t *testing.T, runtime, bundle string) []string {
	t.Helper()
	id := fmt.Sprintf("ctr-rootfs-test-%d", os.Getpid())
	args := []string{"--root", t.TempDir(), "run", "--bundle", bundle, id}
	// crun 1.8.1 refuses a host that has controllers in the second hierarchy of
	// hybrid cgroups; in a mount namespace of its own it does not see that one.
	const unified = "/sys/fs/cgroup/unified"
	if _, err := os.Stat(unified); err == nil && filepath.Base(runtime) == "crun" {
		hide := []string{"unshare", "--mount", "sh", "-c", `umount "$0" && exec "$@"`, unified, runtime}
		return append(hide, args...)
	}
	return append([]string{runtime}, args...)
}
