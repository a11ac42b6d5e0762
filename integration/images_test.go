package integration_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

// of is an image with one file, for a machine of that architecture.
func of(architecture string) imagetest.Image {
	return imagetest.Image{
		Platform: ispec.Platform{OS: "linux", Architecture: architecture},
		Layers:   []imagetest.Layer{{imagetest.File("arch-"+architecture, 0o644, "")}},
	}
}

// TestImages lists what a daemon has: several platforms, unpacked in two
// snapshotters or none, layers that are there, were discarded, or never came.
func TestImages(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", writeArchive(t, standardName, standard(t)))
	ctrRootfs(t, "ls", "--address", d.Address, "--snapshotter", "native", standardName)
	d.Ctr(t, "images", "import", "--no-unpack", "--all-platforms", writeArchive(t, "example.com/multi:1", of("s390x"), of("riscv64")))
	d.Ctr(t, "images", "import", writeArchive(t, "example.com/discarded:1", churn(t)))
	discardLayers(t, d, "example.com/discarded:1")

	table := ctrRootfs(t, "images", "--address", d.Address).stdout
	var rows [][]string
	for line := range strings.Lines(string(table)) {
		rows = append(rows, strings.Fields(line))
	}
	host := []string{"linux/" + runtime.GOARCH}
	want := [][]string{
		{"NAME", "PLATFORM", "UNPACKED", "LAYERS"},
		{"example.com/discarded:1", host[0], "overlayfs", "discarded"},
		{"example.com/multi:1", "linux/riscv64", "no", "kept"},
		{"example.com/multi:1", "linux/s390x", "no", "kept"},
		{standardName, host[0], "native,overlayfs", "kept"},
	}
	slices.SortFunc(rows[1:], func(a, b []string) int { return strings.Compare(strings.Join(a, " "), strings.Join(b, " ")) })
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("got\n%s\nwant\n%v", table, want)
	}

	names := string(ctrRootfs(t, "images", "--address", d.Address, "-q").stdout)
	if want := "example.com/discarded:1\nexample.com/multi:1\n" + standardName + "\n"; names != want {
		t.Errorf("-q gave %q, want %q", names, want)
	}

	var got []string
	decoder := json.NewDecoder(bytes.NewReader(ctrRootfs(t, "images", "--address", d.Address, "--json").stdout))
	for decoder.More() {
		var image struct {
			Name, Digest, Platform, Layers string
			Unpacked                       []string
		}
		if err := decoder.Decode(&image); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(image.Digest, "sha256:") {
			t.Errorf("%s has the digest %q", image.Name, image.Digest)
		}
		unpacked := strings.Join(image.Unpacked, ",")
		if image.Unpacked == nil {
			t.Errorf("%s has null for a list", image.Name)
		}
		if unpacked == "" {
			unpacked = "no"
		}
		got = append(got, strings.Join([]string{image.Name, image.Platform, unpacked, image.Layers}, " "))
	}
	slices.Sort(got)
	for i, row := range rows[1:] {
		if i >= len(got) || got[i] != strings.Join(row, " ") {
			t.Errorf("--json gave %q, the table %q", got, rows[1:])
			break
		}
	}

	if empty := ctrRootfs(t, "images", "--address", d.Address, "-n", "empty", "--json").stdout; len(empty) != 0 {
		t.Errorf("an empty namespace has %q", empty)
	}
	imagesGivenBack(t, d)
}

// imagesGivenBack names an image in every way that containerd allows, and gives what
// "images -q" lists to each verb; and to nothing else does such a name lead.
func imagesGivenBack(t *testing.T, d *daemon.Daemon) {
	want := []string{standardName, "example.com/discarded:1"}
	for _, name := range []string{
		"MyApp:1", "v1", "example.com/app:v1.2+build3", "sha256:" + strings.Repeat("1f", 32), strings.Repeat("1f", 32),
		"overlayfs@sha256:" + strings.Repeat("1f", 32), "import-2026-11-30", "<none>", "a b", " a", "a\tb", "a\nb", "a\x1b[2J", "naïve:ü",
		`"a"`, `a\b`, "-n", "--pull", "oci:app", "oci-archive:app.tar", "docker-archive:-", "container:web", "snapshot:1", "pod:web",
		"docker://app", "https://app", "docker-daemon:app", "dir:app", "./app", "/app", "$HOME", "@",
	} {
		d.Ctr(t, "images", "tag", "--skip-reference-check", standardName, "--", name)
		want = append(want, name)
	}
	var got []string
	for line := range strings.Lines(string(ctrRootfs(t, "images", "--address", d.Address, "-q").stdout)) {
		source := strings.TrimSuffix(line, "\n")
		if source == "example.com/multi:1" {
			continue // it is of other platforms
		}
		meta := filepath.Join(t.TempDir(), "meta.json")
		ctrRootfs(t, "export", "--address", d.Address, "--pull", "never", "-o", "/dev/null", "--metadata-file", meta, source)
		got = append(got, readMetadata(t, meta).Image)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("what -q lists is\n%q, want\n%q", got, want)
	}
	const odd = `"oci:app"`
	for _, args := range [][]string{{"ls"}, {"bundle", "-o", "/dev/null"}, {"spec"}, {"export", "--print-key"}} {
		ctrRootfs(t, append(args, "--address", d.Address, "--pull", "never", odd)...)
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		says   []string
	}{
		"a layout":             {[]string{"oci:app"}, statusNotFound, []string{`reading image archive "app"`}},
		"no such name":         {[]string{"MyApp:2"}, statusNotFound, []string{`finding image "MyApp:2"`, "not found", "must be lowercase", "ctr-rootfs images"}},
		"another namespace":    {[]string{"-n", "empty", "MyApp:1"}, statusNotFound, []string{`finding image "MyApp:1" in namespace "empty"`, "use --namespace default"}},
		"its exact name":       {[]string{"-n", "empty", "v1"}, statusNotFound, []string{`finding image "v1" in namespace "empty"`, "use --namespace default"}},
		"pulled always":        {[]string{"--pull", "always", "MyApp:1"}, 2, []string{`pulling "MyApp:1"`, "must be lowercase"}},
		"a URL":                {[]string{"docker://alpine:3.20"}, statusNotFound, []string{"without docker://"}},
		"docker's":             {[]string{"docker-daemon:alpine"}, statusNotFound, []string{"docker save alpine | "}},
		"a URL, as a layout's": {[]string{"oci://example.com/app:1"}, statusNotFound, []string{"without a prefix"}},
	} {
		o := invocation{args: append([]string{"ls", "--address", d.Address}, test.args...)}.run(t)
		if o.status != test.status {
			t.Errorf("%s: exit status %d, want %d", name, o.status, test.status)
		}
		checkError(t, o.stderr, test.says...)
	}
}

// TestImagesOfTheEmbeddedStore lists what was pulled, and not what came out of
// an archive.
func TestImagesOfTheEmbeddedStore(t *testing.T) {
	needsRoot(t)
	r := startRegistry(t, registryOptions{})
	r.push(t, "standard:1", standard(t))
	store := filepath.Join(t.TempDir(), "store")
	ctrRootfs(t, "ls", "--store", store, "--via", "view", r.host+"/standard:1")
	ctrRootfs(t, "ls", "--store", store, "--via", "view", "oci-archive:"+writeArchive(t, churnName, churn(t)))
	table := string(ctrRootfs(t, "images", "--store", store).stdout)
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 2 || strings.Join(strings.Fields(lines[1]), " ") != r.host+"/standard:1 linux/"+runtime.GOARCH+" overlayfs kept" {
		t.Errorf("it lists\n%s", table)
	}
}

// TestImagesBesideAnOddOne lists what can be exported, and fails all the same: a
// manifest lists a layer of which its config knows nothing.
func TestImagesBesideAnOddOne(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	d.Ctr(t, "images", "import", "--no-unpack", writeArchive(t, smallName, small()))
	content, err := imagetest.Build("example.com/odd:1", small())
	if err != nil {
		t.Fatal(err)
	}
	editManifest(t, content, func(m *ispec.Manifest) { m.Layers = append(m.Layers, m.Layers[0]) })
	var data bytes.Buffer
	if err := content.WriteArchive(&data); err != nil {
		t.Fatal(err)
	}
	d.Ctr(t, "images", "import", "--no-unpack", writeFile(t, "odd.tar", data.Bytes()))
	o := invocation{args: []string{"images", "-q", "--address", d.Address}}.run(t)
	if o.status != statusFailed || string(o.stdout) != smallName+"\n" {
		t.Errorf("exit status %d, it lists %q", o.status, o.stdout)
	}
	checkError(t, o.stderr, "example.com/odd:1", "diff IDs")
}

// discardLayers removes an image's layer blobs, as CRI does when it has
// unpacked them.
func discardLayers(t *testing.T, d *daemon.Daemon, name string) {
	t.Helper()
	content, err := imagetest.Build(name, churn(t))
	if err != nil {
		t.Fatal(err)
	}
	for digest, blob := range content.Blobs {
		if !bytes.HasPrefix(blob, []byte("{")) {
			d.Ctr(t, "content", "remove", digest.String())
		}
	}
}
