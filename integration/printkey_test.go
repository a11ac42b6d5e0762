package integration_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ctr-rootfs/ctr-rootfs/integration/daemon"
	"github.com/ctr-rootfs/ctr-rootfs/integration/imagetest"
)

func keyOf(t *testing.T, args ...string) string {
	t.Helper()
	key := string(ctrRootfs(t, append([]string{"export", "--print-key"}, args...)...).stdout)
	if !regexp.MustCompile(`^([0-9a-f]{64}|none)-[0-9a-f]{64}\n$`).MatchString(key) {
		t.Fatalf("the key of %q is %q", args, key)
	}
	return key
}

// TestPrintKey gives one key for one image wherever it lies, but one for each of
// the two ways to read it, and leaves nothing where it was asked for.
func TestPrintKey(t *testing.T) {
	d := daemon.Start(t, daemon.Options{})
	r := startRegistry(t, registryOptions{})
	content := r.push(t, "standard:1", standard(t))
	name := r.host + "/standard:1"
	archive := "oci-archive:" + writeArchive(t, "", standard(t))
	layers, view := keyOf(t, "--via", "layers", archive), keyOf(t, "--via", "view", archive)
	if layers == view {
		t.Errorf("both ways to read an image have the key %s", layers)
	}

	before := d.Left(t, "default", "overlayfs")
	own := filepath.Join(t.TempDir(), "store")
	for where, c := range map[string]struct {
		args []string
		want string
	}{
		"an archive":                         {[]string{archive}, layers},
		"an archive, with a store":           {[]string{"--store", own, archive}, layers},
		"a docker archive":                   {[]string{"docker-archive:" + writeDockerArchive(t, standard(t))}, layers},
		"a registry, asked by its own store": {[]string{"--store", own, name}, layers},
		"its own store, by view":             {[]string{"--store", own, "--via", "view", name}, view},
		"a registry, asked by a daemon":      {[]string{"--address", d.Address, name}, view},
		"a daemon, by view":                  {[]string{"--address", d.Address, "--via", "view", name}, view},
		"a daemon, by layers":                {[]string{"--address", d.Address, "--via", "layers", name}, layers},
		"by digest":                          {[]string{"--address", d.Address, "--pull", "always", r.host + "/standard@" + content.Index.Manifests[0].Digest.String()}, view},
	} {
		if got := keyOf(t, c.args...); got != c.want {
			t.Errorf("%s: %swant %s", where, got, c.want)
		}
	}
	d.Collect(t)
	if left := d.Left(t, "default", "overlayfs").Since(before); left != "" {
		t.Errorf("it left:\n%s", left)
	}
	if blobs := d.Ctr(t, "content", "list", "--quiet"); blobs != "" {
		t.Errorf("it left the blobs:\n%s", blobs)
	}
	if none := keyOf(t, "oci-archive:"+writeArchive(t, "", imagetest.Image{})); !strings.HasPrefix(none, "none-") {
		t.Errorf("an image without layers has the key %q", none)
	}
	for source, says := range map[string]string{
		"container:x": `"container:x" is no image`,
		"snapshot:x":  `"snapshot:x" is no image`,
	} {
		o := invocation{args: []string{"export", "--print-key", "--address", d.Address, source}}.run(t)
		if o.status != 2 {
			t.Errorf("%s: exit status %d", source, o.status)
		}
		checkError(t, o.stderr, says)
	}
}

// TestPrintKeyFlags wants another key for every flag that shapes the bytes, the
// same for every other, and no flag of which nobody thought.
func TestPrintKeyFlags(t *testing.T) {
	source := "oci-archive:" + writeArchive(t, "", standard(t))
	one, two := writeFile(t, "one", []byte("one")), writeFile(t, "two", []byte("two"))
	shaping := [][]string{
		{"--compress", "gzip"}, {"--compress", "gzip:3"}, {"-o", "x.tar.zst"},
		{"--format", "dir", "-o", "x"}, {"--format", "dir", "-o", "x", "--no-same-owner"},
		{"--exclude", "etc"}, {"--exclude", "usr"}, {"--include", "etc"}, {"--exclude-from", one}, {"--exclude-from", two},
		{"--keep", "etc/hosts"}, {"--profile", "none"}, {"--prefix", "a"}, {"--xattrs", "all"},
		{"--replace", "a=" + one}, {"--replace", "b=" + one}, {"--replace", "a=" + two},
		{"--reproducible"}, {"--via", "view"},
	}
	indifferent := [][]string{
		{"--max-bytes", "1g"}, {"--max-entries", "1000000"},
		{"-o", "y.tar"}, {"--metadata-file", filepath.Join(t.TempDir(), "m")}, {"--progress", "plain"}, {"--timeout", "1m"},
		{"--spool", t.TempDir()}, {"--pull", "never"}, {"--debug"}, {"--host-root", "/host"}, {"--lease", "1h"},
		{"--max-bytes", "1g"}, {"--max-entries", "1000"},
	}
	// Where an image comes from, and what --platform chooses, is in its layers.
	elsewhere := []string{
		"address", "namespace", "snapshotter", "store", "platform", "hosts-dir", "plain-http", "skip-verify", "creds", "password-stdin",
		"pause", "allow-changes", "print-key", "help",
	}
	known := map[string]bool{"output": true}
	for _, name := range elsewhere {
		known[name] = true
	}
	base := keyOf(t, source)
	seen := map[string][]string{base: nil}
	for _, args := range shaping {
		key := keyOf(t, append(args, source)...)
		if other, taken := seen[key]; taken {
			t.Errorf("%q and %q have one key", args, other)
		}
		seen[key] = args
		known[strings.TrimLeft(args[0], "-")] = true
	}
	known["no-same-owner"] = true
	for _, args := range indifferent {
		if keyOf(t, append(args, source)...) != base {
			t.Errorf("%q changes the key", args)
		}
		known[strings.TrimLeft(args[0], "-")] = true
	}
	dated := invocation{args: []string{"export", "--print-key", source}, env: []string{"SOURCE_DATE_EPOCH=1"}}
	if string(dated.succeed(t).stdout) == base {
		t.Error("SOURCE_DATE_EPOCH does not change the key")
	}
	help := ctrRootfs(t, "export", "--help").stdout
	for _, flag := range regexp.MustCompile(`(?m)^ +(?:-\w, )? *--([a-z-]+)`).FindAllSubmatch(help, -1) {
		if !known[string(flag[1])] {
			t.Errorf("does --%s shape the bytes? shape in printkey.go, and this test, have to know", flag[1])
		}
	}
}
