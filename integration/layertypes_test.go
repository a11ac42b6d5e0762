package integration_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

const (
	encryptedType = ispec.MediaTypeImageLayerGzip + "+encrypted"
	inTotoType    = "application/vnd.in-toto+json"
	decrypt       = "decrypt it first, or use --via view where containerd has unpacked it"
	unpackedHint  = "use --via view where containerd has unpacked it"
)

// typed is an image whose second layer is data, which is said to be of a media
// type and to have the given content.
func typed(mediaType string, data, content []byte) imagetest.Image {
	return imagetest.Image{
		Layers: []imagetest.Layer{{imagetest.File("below", 0o644, "")}},
		Blobs:  []imagetest.Blob{{Data: data, DiffID: digest.FromBytes(content), MediaType: &mediaType}},
	}
}

// oneFileTar is the tar of a layer with one file.
func oneFileTar() []byte { return imagetest.Layer{imagetest.File("above", 0o644, "1")}.Tar() }

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// madeBy is what a program makes of a folder with a file in it, as FILE.
func madeBy(t *testing.T, name, pkg string, args ...string) []byte {
	t.Helper()
	needsProgram(t, name, pkg)
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "f"), make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, arg := range args {
		args[i] = strings.NewReplacer("FILE", file, "FOLDER", folder).Replace(arg)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// namesOf are the names in what ls prints.
func namesOf(stdout []byte) string {
	var names []string
	for line := range strings.Lines(string(stdout)) {
		fields := strings.Fields(line)
		names = append(names, fields[len(fields)-1])
	}
	return strings.Join(names, " ")
}

// TestLayersThatAreRead reads what is a tar by its media type and by its content,
// in both ways: which compression a builder says does not count.
func TestLayersThatAreRead(t *testing.T) {
	needsRoot(t)
	const oci, docker = ispec.MediaTypeImageLayer, "application/vnd.docker.image.rootfs."
	tar := oneFileTar()
	zipped := gzipped(t, tar)
	for name, c := range map[string]struct {
		mediaType     string
		data, content []byte
		want          string
	}{
		"OCI":                 {oci, tar, tar, "above below"},
		"not to be spread":    {ispec.MediaTypeImageLayerNonDistributableGzip, zipped, tar, "above below"}, //nolint:staticcheck // images have it
		"docker":              {docker + "diff.tar", tar, tar, "above below"},
		"docker, gzip":        {docker + "diff.tar.gzip", zipped, tar, "above below"},
		"foreign":             {docker + "foreign.diff.tar.gzip", zipped, tar, "above below"},
		"gzip, not said":      {oci, zipped, tar, "above below"},
		"gzip, zstd said":     {ispec.MediaTypeImageLayerZstd, zipped, tar, "above below"},
		"plain, gzip said":    {ispec.MediaTypeImageLayerGzip, tar, tar, "above below"},
		"zeros behind gzip":   {ispec.MediaTypeImageLayerGzip, append(bytes.Clone(zipped), make([]byte, 4096)...), tar, "above below"},
		"nothing":             {oci, nil, nil, "below"},
		"nothing, gzipped":    {ispec.MediaTypeImageLayerGzip, gzipped(t, nil), nil, "below"},
		"an empty tar":        {oci, make([]byte, 1024), make([]byte, 1024), "below"},
		"a padded empty tar":  {oci, make([]byte, 10240), make([]byte, 10240), "below"},
		"text behind the end": {oci, append(bytes.Clone(tar), "text"...), append(bytes.Clone(tar), "text"...), "above below"},
	} {
		t.Run(name, func(t *testing.T) {
			source := "oci-archive:" + writeArchive(t, "", typed(c.mediaType, c.data, c.content))
			for _, via := range []string{"layers", "view"} {
				o := ctrRootfs(t, "ls", "--store", filepath.Join(t.TempDir(), "store"), "--profile", "none", "--via", via, source)
				if got := namesOf(o.stdout); got != c.want {
					t.Errorf("by %s: %s, want %s", via, got, c.want)
				}
			}
		})
	}
}

// TestLayersThatAreNotRead names the layer, and leaves no root, in both ways and
// for each verb.
func TestLayersThatAreNotRead(t *testing.T) {
	needsRoot(t)
	tar := oneFileTar()
	noise := append(make([]byte, 1024), bytes.Repeat([]byte("noise"), 1000)...)
	ext4 := madeBy(t, "mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-d", "FOLDER", "FILE", "1M")
	erofs := madeBy(t, "mkfs.erofs", "erofs-utils", "FILE", "FOLDER")
	const zeros = "zeros and then other bytes: the image has to be built again, with tars as its layers"
	for name, c := range map[string]struct {
		mediaType     string
		data, content []byte
		wants         []string
	}{
		"encrypted":             {encryptedType, noise[1024:], tar, []string{"layer 2 of 2 (DIGEST)", decrypt}},
		"encrypted, a tar":      {ispec.MediaTypeImageLayer + "+encrypted", tar, tar, []string{"layer 2 of 2 (DIGEST)", decrypt}},
		"Nydus":                 {"application/vnd.oci.image.layer.nydus.blob.v1", noise, noise, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"SOCI":                  {"application/vnd.amazon.soci.index.v1+json", noise, noise, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"xz":                    {ispec.MediaTypeImageLayer + "+xz", noise, noise, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"lz4":                   {ispec.MediaTypeImageLayer + "+lz4", tar, tar, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"squashfs":              {"application/vnd.oci.image.layer.squashfs", noise, noise, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"EROFS, another's type": {"application/vnd.oci.image.layer.v1.erofs", erofs, erofs, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"in-toto":               {inTotoType, []byte("{}"), []byte("{}"), []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"octets":                {"application/octet-stream", tar, tar, []string{"layer 2 of 2 (DIGEST)", unpackedHint}},
		"no type":               {"", tar, tar, []string{"layer 2 of 2 (DIGEST)", `""`, unpackedHint}},
		"zeros and noise":       {ispec.MediaTypeImageLayer, noise, noise, []string{"DIGEST", zeros}},
		"the same, gzipped":     {ispec.MediaTypeImageLayerGzip, gzipped(t, noise), noise, []string{"DIGEST", zeros}},
		"ext4 as a tar":         {ispec.MediaTypeImageLayer, ext4, ext4, []string{"DIGEST", zeros}},
		"EROFS as a tar":        {ispec.MediaTypeImageLayer, erofs, erofs, []string{"DIGEST", zeros}},
		"text as a tar":         {ispec.MediaTypeImageLayerGzip, noise[1024:], noise[1024:], []string{"DIGEST", "it is something else"}},
	} {
		t.Run(name, func(t *testing.T) {
			source := "oci-archive:" + writeArchive(t, "", typed(c.mediaType, c.data, c.content))
			wants := []string{"image.tar", `"` + c.mediaType + `"`}
			for _, want := range c.wants {
				wants = append(wants, strings.Replace(want, "DIGEST", digest.FromBytes(c.data).String(), 1))
			}
			for _, via := range []string{"layers", "view"} {
				for _, verb := range []string{"export", "ls"} {
					folder := t.TempDir()
					args := []string{verb, "--store", filepath.Join(t.TempDir(), "store"), "--via", via, source}
					if verb == "export" {
						args = append(args, "-o", filepath.Join(folder, "out"))
					}
					badInput{args: args, status: statusFailed, wants: wants}.check(t, folder)
				}
			}
		})
	}
	source := "oci-archive:" + writeArchive(t, "", typed(encryptedType, noise, tar))
	for _, args := range [][]string{{"bundle", "-o", "OUT"}, {"bundle", "--format", "dir", "-o", "OUT"}, {"spec"}} {
		folder := t.TempDir()
		args = append(args, "--store", filepath.Join(t.TempDir(), "store"), source, "--", "/bin/sh")
		for i := range args {
			args[i] = strings.Replace(args[i], "OUT", filepath.Join(folder, "out"), 1)
		}
		badInput{args: args, status: statusFailed, wants: []string{encryptedType, decrypt}}.check(t, folder)
	}
}

// TestLayerTypesOfRegistry pulls images of which a layer is not read: it is told
// before the layers come, and a daemon that has unpacked what its config has diff
// IDs of is asked for no type. What containerd does not unpack is reported as that.
func TestLayerTypesOfRegistry(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	tar := oneFileTar()
	noise := append(make([]byte, 1024), "noise"...)
	proxy, url := r.before(t, nil)
	host := strings.TrimPrefix(url, "http://")
	r.push(t, "encrypted:1", typed(encryptedType, noise, tar))
	r.push(t, "lz4:1", typed(ispec.MediaTypeImageLayer+"+lz4", noise, noise))
	r.push(t, "noise:1", typed(ispec.MediaTypeImageLayer, noise, noise))
	r.push(t, "octets:1", typed("application/octet-stream", noise, noise))
	chart := typed("application/vnd.cncf.helm.chart.content.v1.tar+gzip", noise, noise)
	chart.Layers = nil
	r.push(t, "chart:1", chart)
	r.push(t, "erofs:1", typed("application/vnd.oci.image.layer.v1.erofs", noise, noise))
	for _, refused := range imagetest.Refused() {
		if refused.Name == "name below what a lower layer deleted" {
			r.push(t, "refused:1", refused.Image)
		}
	}
	for _, c := range []struct {
		name, via, store string
		unasked          bool // the registry was not asked for the layer
		wants            []string
	}{
		{"encrypted", "layers", "", true, []string{"layer 2 of 2", encryptedType, decrypt}},
		{"encrypted", "view", "", true, []string{"layer 2 of 2", encryptedType, decrypt}},
		{"encrypted", "layers", d.Address, true, []string{"layer 2 of 2", encryptedType, decrypt}},
		{"encrypted", "view", d.Address, false, []string{"layer 2 of 2", encryptedType, decrypt}},
		{"lz4", "layers", d.Address, true, []string{"layer 2 of 2", "tar+lz4", unpackedHint}},
		{"lz4", "view", d.Address, true, []string{"layer 2 of 2", "tar+lz4", unpackedHint}},
		{"octets", "layers", "", true, []string{"layer 2 of 2", `"application/octet-stream"`, unpackedHint}},
		{"octets", "view", d.Address, true, []string{"layer 2 of 2", `"application/octet-stream"`, unpackedHint}},
		{"chart", "layers", "", true, []string{"it is a Helm chart, not an image", "layer 1 of 1", `"application/vnd.cncf.helm.chart.content.v1.tar+gzip"`}},
		{"erofs", "view", d.Address, false, []string{"layer 2 of 2", "v1.erofs", "no processor", unpackedHint}},
		{"noise", "view", d.Address, false, []string{"layer 2 of 2", "zeros and then other bytes"}},
		{"noise", "view", d.Address, false, []string{"layer 2 of 2", "zeros and then other bytes"}}, // it is unpacked now
		{"refused", "view", "", false, []string{"not a directory", "use --via layers"}},
		{"refused", "view", d.Address, false, []string{"not a directory", "use --via layers"}},
	} {
		where := []string{"--store", filepath.Join(t.TempDir(), "store")}
		if c.store != "" {
			where = []string{"--address", d.Address}
		}
		o := invocation{args: append([]string{"ls", "--via", c.via, host + "/" + c.name + ":1"}, where...)}.run(t)
		status := statusFailed
		if c.name == "chart" {
			status = statusNotFound // of an image
		}
		checkPulling(t, o, status, c.wants...)
		count := proxy.counted()
		if layer := "GET /v2/" + c.name + "/blobs/" + digest.FromBytes(noise).String(); c.unasked && count[layer] != 0 {
			t.Errorf("%s via %s: the layer was downloaded before it was refused", c.name, c.via)
		}
		if config := "GET /v2/" + c.name + "/manifests/"; !strings.Contains(fmt.Sprint(count), config) {
			t.Errorf("%s via %s: the registry was not asked: %v", c.name, c.via, count)
		}
	}
	// A snapshotter that keeps no layer apart shows none that is empty.
	o := invocation{args: []string{"ls", "--address", d.Address, "--snapshotter", "native", "--via", "view", host + "/noise:1"}}.run(t)
	checkPulling(t, o, statusFailed, "layer 2 of 2", "zeros and then other bytes")
	checkArtifactBeside(t, d)
}

// checkArtifactBeside exports an image that has an artifact beside its layers,
// which containerd passes over: its config has no diff ID of it.
func checkArtifactBeside(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	const name = "docker.io/library/beside:1"
	content, err := imagetest.Build(name, typed(ispec.MediaTypeImageLayer, oneFileTar(), oneFileTar()))
	if err != nil {
		t.Fatal(err)
	}
	editManifest(t, content, func(m *ispec.Manifest) {
		artifact := []byte("{}")
		beside := ispec.Descriptor{MediaType: inTotoType, Digest: digest.FromBytes(artifact), Size: int64(len(artifact))}
		content.Blobs[beside.Digest] = artifact
		m.Layers = append(m.Layers, beside)
	})
	var archive bytes.Buffer
	if err := content.WriteArchive(&archive); err != nil {
		t.Fatal(err)
	}
	d.Ctr(t, "images", "import", "--local", writeFile(t, "beside.tar", archive.Bytes()))
	o := ctrRootfs(t, "ls", "--address", d.Address, "--pull", "never", "--profile", "none", name)
	if got := namesOf(o.stdout); got != "above below" {
		t.Errorf("a view of what containerd unpacked has %q", got)
	}
	o = invocation{args: []string{"ls", "--address", d.Address, "--pull", "never", "--via", "layers", name}}.run(t)
	if o.status != statusFailed {
		t.Errorf("exit status %d, want %d", o.status, statusFailed)
	}
	checkError(t, o.stderr, "layer 3 of 3", inTotoType, unpackedHint)
}
