package integration_test

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// needing is an image of this machine that needs a feature of the operating system, or
// none, with one file of that name. Its layer is a tar all the same.
func needing(feature string) imagetest.Image {
	p := ispec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	name := "plain"
	if feature != "" {
		name, p.OSFeatures = feature, []string{feature}
	}
	return imagetest.Image{Platform: p, Config: ispec.ImageConfig{Cmd: []string{"/" + name}}, Layers: []imagetest.Layer{{imagetest.File(name, 0o644, "")}}}
}

// TestFeatures chooses among manifests that differ in the features of the operating
// system that they need: from an archive, and in a daemon one of whose snapshotters has
// the feature "erofs".
func TestFeatures(t *testing.T) {
	host := "linux/" + runtime.GOARCH
	const erofs, other = "linux(+erofs)/" + runtime.GOARCH, "linux(+other)/" + runtime.GOARCH
	folder := t.TempDir()
	export := func(args ...string) []string {
		return append([]string{"export", "--profile", "none", "-o", filepath.Join(folder, "out.tar")}, args...)
	}
	both, only := "oci-archive:"+writeArchive(t, "", needing("other"), needing("")), "oci-archive:"+writeArchive(t, "", needing("other"))
	onlyFile(t, ctrRootfs(t, "export", "--profile", "none", both).stdout, "plain")
	onlyFile(t, ctrRootfs(t, "export", "--profile", "none", "--platform", other, both).stdout, "other")
	onlyFile(t, ctrRootfs(t, "export", "--profile", "none", "--platform", other, only).stdout, "other")
	badInput{args: export(only), status: statusNotFound, wants: []string{"finding platform " + host, "the image has " + other, "--platform '" + other + "'"}}.check(t, folder)
	meta := filepath.Join(t.TempDir(), "meta.json")
	ctrRootfs(t, "export", "-o", "/dev/null", "--metadata-file", meta, "--platform", other, both)
	if got := readMetadata(t, meta).Platform; got != other {
		t.Errorf("the metadata has the platform %s, want %s", got, other)
	}

	d := snapshotterDaemon(t, "erofs")
	for name, images := range map[string][]imagetest.Image{
		"both": {needing("erofs"), needing("")}, "erofs": {needing("erofs")}, "other": {needing("other"), needing("erofs")},
	} {
		d.Ctr(t, "images", "import", "--no-unpack", "--all-platforms", writeArchive(t, "example.com/"+name+":1", images...))
	}
	of := func(name string, args ...string) []string {
		return append(args, "--address", d.Address, "--pull", "never", "example.com/"+name+":1")
	}
	var rows []string
	for line := range strings.Lines(string(ctrRootfs(t, "images", "--address", d.Address).stdout)) {
		rows = append(rows, strings.Join(strings.Fields(line)[:2], " "))
	}
	slices.Sort(rows)
	if want := []string{"NAME PLATFORM", "example.com/both:1 " + erofs, "example.com/both:1 " + host, "example.com/erofs:1 " + erofs, "example.com/other:1 " + erofs, "example.com/other:1 " + other}; !slices.Equal(rows, want) {
		t.Errorf("images lists\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	for _, c := range []struct{ name, platform, want string }{
		{"both", "", "plain"}, {"both", erofs, "erofs"}, {"erofs", "", "erofs"}, {"other", "", "erofs"}, {"other", host, "erofs"},
	} {
		args := of(c.name, "export", "--profile", "none", "--snapshotter", "erofs", "--platform", c.platform)
		if c.platform == "" {
			args = slices.DeleteFunc(args, func(arg string) bool { return arg == "--platform" || arg == "" })
		}
		onlyFile(t, ctrRootfs(t, args...).stdout, c.want)
	}
	badInput{args: of("erofs", export("--snapshotter", "overlayfs")...), status: statusFailed, wants: []string{"does not support " + erofs, "use --"}}.check(t, folder)
	badInput{args: of("other", export("--snapshotter", "erofs", "--platform", other)...), status: statusFailed, wants: []string{"does not support " + other}}.check(t, folder)
	far := needing("erofs")
	far.Platform.Architecture, far.Layers = "s390x", []imagetest.Layer{{imagetest.File("far", 0o644, "")}}
	d.Ctr(t, "images", "import", "--no-unpack", "--all-platforms", writeArchive(t, "example.com/far:1", far))
	badInput{args: of("far", export("--snapshotter", "erofs", "--platform", "linux/s390x")...), status: statusFailed, wants: []string{"does not support linux(+erofs)/s390x", "use --via layers"}}.check(t, folder)
	t.Run("container", func(t *testing.T) { containerOfFeature(t, d) })
}

// containerOfFeature asks for the config of a container's image, which is the one
// that the container was made from, though its name stands for both by now.
func containerOfFeature(t *testing.T, d *daemon.Daemon) {
	const name = "example.com/moved:1"
	d.Ctr(t, "images", "import", "--no-unpack", "--all-platforms", writeArchive(t, name, needing("erofs")))
	ctrRootfs(t, "ls", "--address", d.Address, "--snapshotter", "erofs", name)
	d.Ctr(t, "containers", "create", "--snapshotter", "erofs", name, "made")
	d.Ctr(t, "images", "import", "--no-unpack", "--all-platforms", writeArchive(t, name, needing("erofs"), needing("")))
	spec := string(ctrRootfs(t, "spec", "--address", d.Address, "--spec", "image", "container:made").stdout)
	if !strings.Contains(spec, `"/erofs"`) || strings.Contains(spec, `"/plain"`) {
		t.Errorf("it is the spec of another image:\n%s", spec)
	}
	bundle := readTar(t, ctrRootfs(t, "bundle", "--address", d.Address, "--spec", "image", "container:made").stdout)
	if !strings.Contains(bundle.String(), `"rootfs/erofs"`) {
		t.Errorf("the bundle has\n%s", bundle)
	}
}
