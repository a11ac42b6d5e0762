package integration_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// TestEveryFormOfAnImage exports one image from a daemon and from each kind of
// archive, compressed in each way, into fresh embedded stores: the same bytes.
func TestEveryFormOfAnImage(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	image := standard(t)
	archive := writeArchive(t, standardName, image)
	d.Ctr(t, "images", "import", archive)
	want := ctrRootfs(t, "export", "--address", d.Address, "--reproducible", standardName).stdout
	readTar(t, want)

	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	compressed := func(name, ending string) string {
		return "oci-archive:" + writeFile(t, "image.tar"+ending, []byte(command(t, data, name, "-c")))
	}
	sources := map[string]string{
		"oci-archive":      "oci-archive:" + archive,
		"oci-archive name": "oci-archive:" + archive + ":" + standardName,
		"oci":              "oci:" + writeLayout(t, image),
		"docker-archive":   "docker-archive:" + writeDockerArchive(t, image),
		"plain layers":     "oci-archive:" + writeArchive(t, standardName, compressedAs(image, imagetest.Plain)),
		"zstd layers":      "oci-archive:" + writeArchive(t, standardName, compressedAs(image, imagetest.Zstd)),
		"no name":          "oci-archive:" + writeArchive(t, "", image),
		"gzip around":      compressed("gzip", ".gz"),
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			store := filepath.Join(t.TempDir(), "store")
			for _, run := range []string{"fresh store", "same store"} {
				got := ctrRootfs(t, "export", "--store", store, "--reproducible", source).stdout
				if !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes differ from the daemon's %d", run, len(got), len(want))
				}
			}
		})
	}
	t.Run("standard input", func(t *testing.T) {
		got := invocation{
			args:  []string{"export", "--store", filepath.Join(t.TempDir(), "store"), "--reproducible", "oci-archive:-"},
			stdin: data,
		}.succeed(t).stdout
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes differ from the daemon's %d", len(got), len(want))
		}
	})
}

// TestWaysToMount takes the mount that old kernels need, and the one of newer
// ones: the same bytes as from the layers below, which need none. Nothing but
// strace shows which was taken.
func TestWaysToMount(t *testing.T) {
	needsStrace(t)
	for name, image := range map[string]imagetest.Image{"standard": standard(t), "torture": imagetest.Torture()} {
		d := daemon.Start(t, daemon.Options{})
		d.Ctr(t, "images", "import", writeArchive(t, standardName, image))
		committed := committedOf(t, d, standardName)
		want := ctrRootfs(t, "export", "--address", d.Address, "--profile", "none", standardName).stdout
		for _, way := range []struct {
			name, source string
			strace       []string
			// calls are in the trace, and never is not.
			calls []string
			never string
		}{
			{"unmounted", standardName, []string{"-e", "trace=fsopen,fsmount,mount,unshare"}, nil, "mount("},
			{"detached", committed, []string{"-e", "trace=fsopen,unshare"}, []string{`fsopen("overlay"`}, "CLONE_NEWNS"},
			{"fallback", committed, oldKernel, []string{"CLONE_NEWNS"}, `fsopen("overlay", FSOPEN_CLOEXEC) = 3`},
		} {
			t.Run(name+"/"+way.name, func(t *testing.T) {
				trace := filepath.Join(t.TempDir(), "trace")
				got := invocation{
					args:   []string{"export", "--address", d.Address, "--profile", "none", way.source},
					strace: append([]string{"-o", trace}, way.strace...),
				}.succeed(t).stdout
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes differ from %d", len(got), len(want))
				}
				calls, err := os.ReadFile(trace)
				if err != nil {
					t.Fatal(err)
				}
				for _, call := range way.calls {
					if !bytes.Contains(calls, []byte(call)) {
						t.Errorf("no call has %s:\n%s", call, calls)
					}
				}
				if bytes.Contains(calls, []byte(way.never)) {
					t.Errorf("a call has %s:\n%s", way.never, calls)
				}
			})
		}
	}
}

// TestPlatform exports the image of another machine than this one.
func TestPlatform(t *testing.T) {
	needsRoot(t)
	of := func(architecture string) imagetest.Image {
		return imagetest.Image{
			Platform: ispec.Platform{OS: "linux", Architecture: architecture},
			Layers:   []imagetest.Layer{{imagetest.File("arch-"+architecture, 0o644, "")}},
		}
	}
	archive := writeArchive(t, "example.com/multi:1", of("s390x"), of("riscv64"))
	for _, architecture := range []string{"s390x", "riscv64"} {
		data := ctrRootfs(t, "export", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none",
			"--platform", "linux/"+architecture, "oci-archive:"+archive).stdout
		if l := readTar(t, data); len(l) != 1 || l[0].Path != "arch-"+architecture {
			t.Errorf("--platform linux/%s gave:\n%s", architecture, l)
		}
	}
}

func compressedAs(image imagetest.Image, c imagetest.Compression) imagetest.Image {
	image.Compression = c
	return image
}

func writeLayout(t *testing.T, image imagetest.Image) string {
	t.Helper()
	content, err := imagetest.Build(standardName, image)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "layout")
	if err := content.WriteLayout(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeDockerArchive(t *testing.T, image imagetest.Image) string {
	t.Helper()
	var data bytes.Buffer
	if err := imagetest.WriteDockerArchive(&data, standardName, image); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "docker.tar", data.Bytes())
}

// TestContainerOfAnEmbeddedStore looks for a container and a pod where there never
// are any, as on a host whose containerd listens elsewhere.
func TestContainerOfAnEmbeddedStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for _, source := range []string{"container:web", "pod:web"} {
		o := invocation{args: []string{"ls", "--store", dir, source}}.run(t)
		if o.status != statusNotFound {
			t.Errorf("%s: exit status %d, want %d", source, o.status, statusNotFound)
		}
		checkError(t, o.stderr, `of the embedded store "`+dir+`": not found: that has no containers`, "--address")
	}
}
