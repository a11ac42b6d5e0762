package document

import (
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	ispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestWanted orders the platforms that an image has: those that are wanted first,
// and the others not at all.
func TestWanted(t *testing.T) {
	for _, c := range []struct{ text, features, have, want string }{
		{"linux/amd64", "", "linux/arm64 linux/amd64 linux/386", "linux/amd64"},
		{"linux/arm/v6", "", "linux/arm/v5 linux/arm/v6 linux/arm/v7", "linux/arm/v6"},
		{"linux/arm", "", "linux/arm/v6 linux/arm/v7", "linux/arm/v7"},
		{"linux/arm64", "", "linux/arm/v7 linux/arm64/v8", "linux/arm64"},

		{"linux/amd64", "", "linux(+erofs)/amd64", ""},
		{"linux/amd64", "", "linux(+erofs)/amd64 linux/amd64", "linux/amd64"},
		{"linux(+erofs)/amd64", "", "linux/amd64 linux(+erofs)/amd64 linux(+other)/amd64", "linux(+erofs)/amd64 linux/amd64"},
		{"linux/amd64", "erofs", "linux(+erofs)/amd64", "linux(+erofs)/amd64"},
		{"linux/amd64", "erofs", "linux(+erofs)/amd64 linux/amd64", "linux/amd64 linux(+erofs)/amd64"},
		{"linux/amd64", "erofs", "linux(+erofs)/arm64 linux(+other)/amd64 linux(+erofs+other)/amd64", ""},
		{"linux(+other)/amd64", "erofs", "linux(+erofs+other)/amd64 linux/amd64 linux(+other)/amd64", "linux(+other)/amd64 linux/amd64 linux(+erofs+other)/amd64"},
		{"linux(+erofs)/amd64", "erofs", "linux(+erofs)/amd64", "linux(+erofs)/amd64"},

		{"windows/amd64", "", "windows(10.0.17763.1)/amd64 windows(10.0.20348.2)/amd64", "windows(10.0.17763.1)/amd64 windows(10.0.20348.2)/amd64"},
		{"windows(10.0.17763)/amd64", "", "windows(10.0.20348.2)/amd64 windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64"},
		{"windows/amd64", "", "windows(10.0.17763.1+win32k)/amd64 linux/amd64", "windows(10.0.17763.1+win32k)/amd64"},
	} {
		want, err := Platform(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if want.Text != c.text {
			t.Errorf("%s is reported as %s", c.text, want.Text)
		}
		if c.features != "" {
			want = want.Reading([]string{c.features})
		}
		var fit []ispec.Platform
		for _, text := range strings.Fields(c.have) {
			if p := platforms.MustParse(text); want.Match(p) {
				fit = append(fit, p)
			}
		}
		sort.SliceStable(fit, func(i, j int) bool { return want.Less(fit[i], fit[j]) })
		var got []string
		for _, p := range fit {
			got = append(got, Format(p))
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s, reading %q, of %s: %q, want %s", c.text, c.features, c.have, got, c.want)
		}
	}
}

// TestHostsPlatform takes for this host what it can run, and only of Linux.
func TestHostsPlatform(t *testing.T) {
	want, err := Platform("")
	if err != nil {
		t.Fatal(err)
	}
	host := platforms.DefaultSpec()
	host.OS = "linux"
	other := host
	other.OS = "windows"
	if !want.Match(host) || want.Match(other) || want.Text != Format(host) {
		t.Errorf("%q matches %s: %v, %s: %v", want.Text, Format(host), want.Match(host), Format(other), want.Match(other))
	}
	for _, text := range []string{"a/b/c/d", "linux(+)/amd64", "linux(", "*/amd64"} {
		if _, err := Platform(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// TestPlatformOf has an index and a config say different things.
func TestPlatformOf(t *testing.T) {
	for _, c := range []struct{ indexed, config, want string }{
		{"", "linux/arm64", "linux/arm64"},
		{"", "linux/arm/v6", "linux/arm/v6"},
		{"", "linux(+erofs)/amd64", "linux(+erofs)/amd64"},
		{"linux/arm/v6", "linux/arm", "linux/arm/v6"},
		{"linux/arm/v6", "linux/arm/v7", "linux/arm/v6"},
		{"linux/arm/v7", "linux/arm/v6", "linux/arm/v7"},
		{"linux/amd64/v3", "linux/amd64", "linux/amd64/v3"},
		{"linux/arm64/v8", "linux/amd64", "linux/arm64"},
		{"linux(+erofs)/amd64", "linux/amd64", "linux(+erofs)/amd64"},
		{"linux/amd64", "linux(+erofs)/amd64", "linux(+erofs)/amd64"},
		{"linux/arm64", "linux(+erofs)/amd64", "linux/arm64"},
		{"windows/amd64", "windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64"},
		{"windows(10.0.17763.1)/amd64", "windows(10.0.20348.1)/amd64", "windows(10.0.17763.1)/amd64"},
	} {
		var indexed *ispec.Platform
		if c.indexed != "" {
			p := platforms.MustParse(c.indexed)
			indexed = &p
		}
		if got := Format(PlatformOf(indexed, platforms.MustParse(c.config))); got != c.want {
			t.Errorf("%q in the index and %s in the config are reported as %s, want %s", c.indexed, c.config, got, c.want)
		}
	}
	if got := Format(PlatformOf(&ispec.Platform{}, platforms.MustParse("linux/s390x"))); got != "linux/s390x" {
		t.Errorf("a platform that says nothing, and linux/s390x in the config, are reported as %s", got)
	}
}
