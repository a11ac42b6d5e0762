package integration_test

import (
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRelease makes a release of one platform twice: whole, with right
// checksums, and the same bytes each time.
func TestRelease(t *testing.T) {
	needsRoot(t)
	t.Setenv("TARGETS", "linux/amd64")
	dist, again := filepath.Join(t.TempDir(), "dist"), filepath.Join(t.TempDir(), "dist")
	for _, into := range []string{dist, again} {
		if err := makeInto("release", into); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"linux_amd64", "linux_amd64.cdx.json", "linux_amd64.deb", "image.tar", "man.tar.gz"} {
		if !strings.Contains(string(sums), "  ctr-rootfs_v0.0.0-test_"+name+"\n") {
			t.Errorf("SHA256SUMS has no %s:\n%s", name, sums)
		}
	}
	check := exec.Command("sha256sum", "--check", "--strict", filepath.Join(dist, "SHA256SUMS"))
	check.Dir = again
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("the second release is not the first: %v\n%s", err, out)
	}
	checkSBOM(t, filepath.Join(dist, "ctr-rootfs_v0.0.0-test_linux_amd64"))
	installed(t, filepath.Join(dist, "ctr-rootfs_v0.0.0-test_linux_amd64.deb"))
}

// checkSBOM wants each module that the linker wrote into the program, and no
// other.
func checkSBOM(t *testing.T, binary string) {
	t.Helper()
	text, err := os.ReadFile(binary + ".cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	var sbom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct{ Version, PURL string }
		}
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(text, &sbom); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"stdlib": info.GoVersion}
	for _, m := range info.Deps {
		want[m.Path] = m.Version
	}
	for _, c := range sbom.Components {
		if want[c.Name] != c.Version || c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("the SBOM has %+v, the program version %q", c, want[c.Name])
		}
		delete(want, c.Name)
	}
	if own := sbom.Metadata.Component; own.Version != "v0.0.0-test" || own.PURL != "pkg:golang/"+module+"@v0.0.0-test" {
		t.Errorf("the SBOM is of %+v", own)
	}
	if len(want) > 0 || sbom.BOMFormat != "CycloneDX" || sbom.SpecVersion != "1.6" {
		t.Errorf("the SBOM, a %s %s, lacks %v", sbom.BOMFormat, sbom.SpecVersion, want)
	}
}

// installed installs a package in a bare Debian, runs what it brought, and
// removes it: nothing is left.
func installed(t *testing.T, pkg string) {
	t.Helper()
	root := t.TempDir()
	command(t, nil, "tar", "-x", "-C", root, "-f", bareDebian(t))
	files := func() []string {
		return strings.Split(command(t, nil, "find", root, "-not", "-path", "*/var/lib/dpkg*", "-not", "-path", "*/var/log/*"), "\n")
	}
	before := files()
	data, err := os.ReadFile(pkg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "p.deb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, nil, "chroot", root, "dpkg", "--install", "p.deb")
	if err := os.Remove(filepath.Join(root, "p.deb")); err != nil {
		t.Fatal(err)
	}
	if out := command(t, nil, "chroot", root, "ctr-rootfs", "version"); !strings.HasPrefix(out, "ctr-rootfs v0.0.0-test ") {
		t.Errorf("installed, it says %q", out)
	}
	list := command(t, nil, "chroot", root, "dpkg", "--listfiles", "ctr-rootfs")
	for _, path := range []string{"/usr/bin/ctr-rootfs", "/usr/share/bash-completion/completions/ctr-rootfs", "/usr/share/doc/ctr-rootfs/copyright"} {
		if !strings.Contains(list, path+"\n") {
			t.Errorf("the package has no %s:\n%s", path, list)
		}
	}
	if status := command(t, nil, "chroot", root, "dpkg", "--status", "ctr-rootfs"); !strings.Contains(status, "Version: 0.0.0-test\n") || strings.Contains(status, "Depends:") {
		t.Errorf("its status is:\n%s", status)
	}
	command(t, nil, "chroot", root, "dpkg", "--purge", "ctr-rootfs")
	for _, path := range files() {
		if !slices.Contains(before, path) {
			t.Errorf("removed, it leaves %q", path)
		}
	}
}

// TestOneVersion wants one version wherever a release is named, so that none is
// forgotten when the next one is made.
func TestOneVersion(t *testing.T) {
	named := regexp.MustCompile(`(?:ctr-rootfs[:@]|raw/|\?ref=|default: )(v\d+\.\d+\.\d+)`)
	places := map[string]string{}
	for _, pattern := range []string{"../action.yml", "../deploy/*/*.yml", "../deploy/kubernetes/*/*.yaml", "../docs/*.md", "../README.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllSubmatch(text, -1) {
				places[string(m[1])] += " " + file
			}
		}
	}
	if len(places) != 1 || len(strings.Fields(slices.Collect(maps.Values(places))[0])) < 6 {
		t.Errorf("releases are named as %q", places)
	}
}
